"""Actions of the admin on many rows: bounded in rows and in the time of a request, with a page that shows progress.

That page goes on by a script, or by a button. Rows travel from page to page in one field of its form: Django takes no
form of more than a thousand fields.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import Error as DatabaseError
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.views.decorators.csrf import csrf_protect

from hubbub.admin_services.list_scope import describe_scope
from hubbub.admin_services.tally import FIELDS as TALLY_FIELDS
from hubbub.admin_services.tally import Tally
from hubbub.protocol import Refused
from hubbub.steps import in_step

ROWS_FIELD = "rows"
ROWS_TOGETHER = 100  # Read at once.
STEP_SECONDS = 1.5  # Of one request: then its page shows how far it is.
BUTTON_STEP_SECONDS = 10.0  # Of one that a button asked for. Browsers and proxies give up after 30 or 60.
NAMED_ROWS = 100  # On a page that asks for confirmation; the count tells of the rest.
GO_ON, STOP = "go_on", "stop"  # The buttons of the page that shows progress.
NOT_REPEATED = {"csrfmiddlewaretoken", ACTION_CHECKBOX_NAME, ROWS_FIELD, "select_across", "index", GO_ON, STOP}
NOT_REPEATED |= {*TALLY_FIELDS}

# A row that was there, and what to say of it in the log.
Log = Callable[[HttpRequest, Any], object]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The result of an action for a row of which its `done` would not be true, as a clause with its subject."""

    text: str


class BulkAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A ModelAdmin whose actions call `for_each`, and whose rows are deleted one by one, each in its transaction."""

    # Rows that an action takes; more are refused before anything is done.
    most_selected = 5_000
    change_list_template = "admin/hubbub/change_list.html"

    class Media:
        css = {"all": ["hubbub/css/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, describe_scope(self, request) | (extra_context or {}))

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *more: Any) -> HttpResponse | None:
        if ROWS_FIELD in request.POST:
            form = request.POST.copy()
            keys = str(form[ROWS_FIELD]).split(",")
            form.setlist(ACTION_CHECKBOX_NAME, [unquote(one) for one in keys if one])
            request.POST = form  # type: ignore[assignment]
        return super().response_action(request, queryset, *more)

    def get_actions(self, request: HttpRequest) -> Any:
        actions: Any = super().get_actions(request)
        if "delete_selected" in actions:
            _, name, description = actions["delete_selected"]
            actions["delete_selected"] = (_delete_selected, name, description)
        return actions

    @method_decorator(csrf_protect)
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        # Django's own is one transaction, within which nothing is done in steps.
        return self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined]

    def keys_of(self, request: HttpRequest, rows: QuerySet[Any]) -> list[Any] | None:
        """The primary keys of the rows that an action is about. None: too many, which the user is told."""
        keys = list(rows.values_list("pk", flat=True)[: self.most_selected + 1])
        if len(keys) <= self.most_selected:
            return keys
        text = (
            f"{rows.count():,} {self.opts.verbose_name_plural} are selected, and at most {self.most_selected:,} can be"
            " changed at once. Nothing was changed. Use the search or the filters to select fewer."
        )
        self.message_user(request, text, messages.ERROR)
        return None

    def for_each(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        do: Callable[[Any], object],
        *,
        done: str,
        log: Log | None = None,
    ) -> HttpResponse | None:
        """For actions: call `do(row)` for each row in turn, and log and report it as `done` ("archived").

        Where `do` returns an Otherwise, its text is logged and reported instead.
        `do` commits by itself: what was done stays done when a later row is refused, and the message names those.
        When the time of a request is over the answer is a page that goes on with the rest: return it.
        """
        keys = self.keys_of(request, rows)
        if keys is None:
            return None
        tally = Tally.from_form(request.POST, len(keys))
        if STOP in request.POST:
            self._report(request, tally, done, is_stopped=True)
            return None
        seen = self._do_some(request, rows, keys, do, log or self._log_done(done), tally)
        if seen < len(keys):
            return self._page_to_go_on(request, keys[seen:], tally, done)
        self._report(request, tally, done)
        return None

    def _do_some(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        keys: Sequence[Any],
        do: Callable[[Any], object],
        log: Log,
        tally: Tally,
    ) -> int:
        """Do it to one row at least, and to more while the time of this request lasts. How many of the keys it was."""
        ends_at = monotonic() + (BUTTON_STEP_SECONDS if GO_ON in request.POST else STEP_SECONDS)
        found: dict[Any, Any] = {}
        for seen, key in enumerate(keys):
            if seen and monotonic() >= ends_at:
                return seen
            if seen % ROWS_TOGETHER == 0:
                found = {row.pk: row for row in rows.filter(pk__in=keys[seen : seen + ROWS_TOGETHER])}
            if (row := found.get(key)) is not None:  # Else somebody was quicker.
                before = copy.copy(row)  # One that is deleted has no key any more.
                try:
                    with in_step():
                        result = do(row)
                        if isinstance(result, Otherwise):
                            self.log_change(request, before, f"{result.text}.")
                        else:
                            log(request, before)
                except (ValidationError, Refused, ObjectDoesNotExist, DatabaseError) as error:
                    tally.fail(before, _reason(error))
                else:
                    if isinstance(result, Otherwise):
                        tally.add_other(result.text)
                    else:
                        tally.done += 1
        return len(keys)

    def _log_done(self, done: str) -> Log:
        return lambda request, row: self.log_change(request, row, f"{capfirst(done)}.")

    def _report(self, request: HttpRequest, tally: Tally, done: str, *, is_stopped: bool = False) -> None:
        if is_stopped:
            text = f"Stopped. {self._progress(tally, done)}. The rest is unchanged."
            self.message_user(request, text, messages.WARNING)
        elif tally.done and not tally.is_complete:
            self.message_user(request, f"{self._progress(tally, done)}.", messages.SUCCESS)
        elif tally.done:
            self.message_user(request, f"{self._count(tally.done)} {done}.", messages.SUCCESS)
        if tally.other:
            self.message_user(request, f"{tally.others_in_words()}.", messages.WARNING)
        if tally.failed:
            self.message_user(request, f"Not {done}: {tally.failures_in_words()}.", messages.ERROR)

    def _progress(self, tally: Tally, done: str) -> str:
        return f"{tally.done:,} of {self._count(tally.total)} {done}"

    def _count(self, count: int) -> str:
        return f"{count:,} {self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural}"

    def _page_to_go_on(self, request: HttpRequest, keys: Sequence[Any], tally: Tally, done: str) -> HttpResponse:
        context = {
            "title": self._progress(tally, done),
            "tally": tally,
            "seen": tally.total - len(keys),
            "failed": f"Not {done}: {tally.failures_in_words()}." if tally.failed else "",
            "fields": [*self.fields_for(keys, request), *tally.fields()],
        }
        return self.action_page(request, "admin/hubbub/go_on.html", context)

    def fields_for(self, keys: Sequence[Any], request: HttpRequest, **more: str) -> list[tuple[str, str]]:
        """The hidden fields of a form that goes on with an action on these rows."""
        kept = {name: request.POST[name] for name in request.POST if name not in NOT_REPEATED} | more
        row_fields = [(ROWS_FIELD, ",".join(str(quote(key)) for key in keys))]
        # Django asks for one at least, whatever the other field says.
        return [*kept.items(), *row_fields, *((ACTION_CHECKBOX_NAME, str(key)) for key in keys[:1])]

    def action_page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """A page of an action, between its list and what it does."""
        request.current_app = self.admin_site.name
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**shared, **context})

    # Deleting

    def check_deletable(self, request: HttpRequest, row: Any) -> None:
        """Raises ValidationError for a row that must not be deleted by selecting it in a list."""

    def _confirm_deletion(self, request: HttpRequest, rows: QuerySet[Any], keys: list[Any]) -> TemplateResponse:
        names: list[Any] = []
        counts: Counter[str] = Counter()
        lacking: set[str] = set()
        protected: list[str] = []
        for start in range(0, len(keys), ROWS_TOGETHER):
            together = list(rows.filter(pk__in=keys[start : start + ROWS_TOGETHER]))
            some, some_counts, some_lacking, some_protected = self.get_deleted_objects(together, request)
            names += some if start < NAMED_ROWS else []
            counts += Counter(some_counts)
            lacking |= set(some_lacking)
            protected += some_protected
        context = {
            "title": f"Delete {self._count(len(keys))}?",
            "count": len(keys),
            "deletable": names,
            "unnamed": max(0, len(keys) - NAMED_ROWS),
            "counts": list(counts.items()),
            "perms_lacking": lacking,
            "protected": protected[:NAMED_ROWS],
            "fields": self.fields_for(keys, request, post="yes"),
        }
        return self.action_page(request, "admin/hubbub/delete_selected.html", context)

    def _delete(self, request: HttpRequest, row: Any) -> None:
        self.check_deletable(request, row)
        _, _, lacking, protected = self.get_deleted_objects([row], request)
        if lacking:
            raise ValidationError("you may not delete what belongs to it")
        if protected:
            raise ValidationError("other rows that must stay belong to it")
        self.delete_model(request, row)


def _delete_selected(of: BulkAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
    if request.POST.get("post"):
        return of.for_each(
            request,
            rows,
            lambda row: of._delete(request, row),
            done="deleted",
            log=lambda request, row: of.log_deletions(request, cast(Any, [row])),
        )
    keys = of.keys_of(request, rows)
    if keys is None:
        return HttpResponseRedirect(request.get_full_path())
    return of._confirm_deletion(request, rows, keys)


def _reason(error: Exception) -> str:
    match error:
        case ValidationError():
            return " ".join(error.messages).rstrip(".")
        case Refused():
            return error.detail
        case ObjectDoesNotExist():
            return "it is gone"
        case ProtectedError() | RestrictedError():
            return "other rows that must stay belong to it"
    return "the database failed; try again"
