"""Admin actions on many rows: limited in rows and in time per request, with a page that shows the progress.

A script or a button continues from that page. The keys of the rows are in one field of its form, since Django refuses
forms with more than a thousand fields.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import Error as DatabaseError
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.csrf import csrf_protect

from hubbub.admin_services.list_scope import describe_scope
from hubbub.admin_services.tally import FIELDS as TALLY_FIELDS
from hubbub.admin_services.tally import Tally
from hubbub.process.steps import step_with_pause
from hubbub.protocol import Refused

ROWS_FIELD = "rows"
BATCH_ROWS = 100  # Rows per query.
STEP_SECONDS = 1.5  # Of one request; then the page shows the progress.
BUTTON_STEP_SECONDS = 10.0  # Of a request by the button. Browsers and proxies time out after 30 or 60 s.
NAMED_ROWS = 100  # Listed on a confirmation page, with the count of the others.
CONTINUE, STOP = "continue", "stop"  # The buttons of the progress page.
NOT_REPEATED = {"csrfmiddlewaretoken", ACTION_CHECKBOX_NAME, ROWS_FIELD, "select_across", "index", CONTINUE, STOP}
NOT_REPEATED |= {*TALLY_FIELDS}

# Writes the admin log of a row, as it was before the action.
Log = Callable[[HttpRequest, Any], object]


@dataclass(frozen=True, slots=True)
class OtherResult:
    """A result other than the action's `done`, as a clause with its subject: "Bob is a moderator"."""

    text: str


class BulkAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A ModelAdmin whose actions call `for_each`. Each row is changed or deleted in a transaction of its own."""

    # Rows per action; more are refused before any is changed.
    max_selected = 5_000
    change_list_template = "admin/hubbub/change_list.html"

    class Media:
        css = {"all": ["hubbub/css/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, describe_scope(self, request) | (extra_context or {}))

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *more: Any, **place: Any
    ) -> HttpResponse | None:
        """Run the action on the rows of the field ROWS_FIELD, if the form has it."""
        if ROWS_FIELD in request.POST:
            form = request.POST.copy()
            keys = str(form[ROWS_FIELD]).split(",")
            form.setlist(ACTION_CHECKBOX_NAME, [unquote(key) for key in keys if key])
            request.POST = form  # type: ignore[assignment]
        return super().response_action(request, queryset, *more, **place)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        place = {} if action_location is None else {"action_location": action_location}  # Since Django 6.1.
        actions: Any = super().get_actions(request, **place)
        if "delete_selected" in actions:
            actions["delete_selected"] = _with_function(actions["delete_selected"], _delete_selected)
        return actions

    @method_decorator(csrf_protect)
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        # Django's view is one transaction, which would undo all steps on an error.
        return self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined]

    def keys_of(self, request: HttpRequest, rows: QuerySet[Any]) -> list[Any] | None:
        """Return the primary keys of the selected rows; None, with a message to the user, if they are too many."""
        keys = list(rows.values_list("pk", flat=True)[: self.max_selected + 1])
        if len(keys) <= self.max_selected:
            return keys
        values = {"rows": self._count(rows.count()), "limit": f"{self.max_selected:,}"}
        text = gettext(
            "%(rows)s are selected, and at most %(limit)s can be changed at once. Nothing was changed. Use the search"
            " or the filters to select fewer."
        )
        self.message_user(request, text % values, messages.ERROR)
        return None

    def for_each(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        do: Callable[[Any], object],
        *,
        done: str | Promise,
        log: Log | None = None,
    ) -> HttpResponse | None:
        """Call `do(row)` for each row, and log and report the result. For actions.

        `do` commits each row itself: a later failure undoes none, and the message lists the failed rows.

        Args:
            request: of the action.
            rows: the selected rows.
            do: changes one row. If it returns an OtherResult, its text is logged and reported instead of `done`.
            done: the result in one word: "archived".
            log: writes the admin log; default: `done`.

        Returns:
            A page that continues with the other rows when the time of the request is over; None: all rows are done.
            The action must return it.
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
            return self._progress_page(request, keys[seen:], tally, done)
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
        """Process at least one row, and more until the time is over. Return how many keys were processed."""
        ends_at = monotonic() + (BUTTON_STEP_SECONDS if CONTINUE in request.POST else STEP_SECONDS)
        batch: dict[Any, Any] = {}
        for seen, key in enumerate(keys):
            if seen and monotonic() >= ends_at:
                return seen
            if seen % BATCH_ROWS == 0:
                batch = {row.pk: row for row in rows.filter(pk__in=keys[seen : seen + BATCH_ROWS])}
            if (row := batch.get(key)) is not None:  # None: another user changed or deleted it meanwhile.
                before = copy.copy(row)  # A deleted row loses its key.
                try:
                    with step_with_pause():
                        result = do(row)
                        if isinstance(result, OtherResult):
                            self.log_change(request, before, f"{result.text}.")
                        else:
                            log(request, before)
                except (ValidationError, Refused, ObjectDoesNotExist, DatabaseError) as error:
                    tally.fail(before, _reason(error))
                else:
                    if isinstance(result, OtherResult):
                        tally.add_other(result.text)
                    else:
                        tally.done += 1
        return len(keys)

    def _log_done(self, done: str | Promise) -> Log:
        with translation.override(settings.LANGUAGE_CODE):  # The history is not in the language of its author.
            text = f"{capfirst(str(done))}."
        return lambda request, row: self.log_change(request, row, text)

    def _report(self, request: HttpRequest, tally: Tally, done: str | Promise, *, is_stopped: bool = False) -> None:
        if is_stopped:
            text = gettext("Stopped. %(progress)s. The rest is unchanged.") % {"progress": self._progress(tally, done)}
            self.message_user(request, text, messages.WARNING)
        elif tally.done and not tally.is_complete:
            self.message_user(request, f"{self._progress(tally, done)}.", messages.SUCCESS)
        elif tally.done:
            self.message_user(request, f"{self._count(tally.done)} {done}.", messages.SUCCESS)
        if tally.other:
            self.message_user(request, f"{tally.describe_others()}.", messages.WARNING)
        if tally.failed:
            self.message_user(request, self._failures(tally, done), messages.ERROR)

    def _progress(self, tally: Tally, done: str | Promise) -> str:
        values = {"done": f"{tally.done:,}", "total": self._count(tally.total), "result": done}
        return gettext("%(done)s of %(total)s %(result)s") % values

    def _failures(self, tally: Tally, done: str | Promise) -> str:
        return gettext("Not %(result)s: %(rows)s.") % {"result": done, "rows": tally.describe_failures()}

    def _count(self, count: int) -> str:
        return f"{count:,} {self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural}"

    def _progress_page(
        self, request: HttpRequest, keys: Sequence[Any], tally: Tally, done: str | Promise
    ) -> HttpResponse:
        context = {
            "title": self._progress(tally, done),
            "tally": tally,
            "seen": tally.total - len(keys),
            "failed": self._failures(tally, done) if tally.failed else "",
            "fields": [*self.fields_for(keys, request), *tally.fields()],
        }
        return self.action_page(request, "admin/hubbub/progress.html", context)

    def fields_for(self, keys: Sequence[Any], request: HttpRequest, **more: str) -> list[tuple[str, str]]:
        """Return the hidden fields of a form that continues an action with these `keys` of rows, and with `more`."""
        repeated = {name: request.POST[name] for name in request.POST if name not in NOT_REPEATED} | more
        row_fields = [(ROWS_FIELD, ",".join(str(quote(key)) for key in keys))]
        # Django requires at least one checkbox.
        return [*repeated.items(), *row_fields, *((ACTION_CHECKBOX_NAME, str(key)) for key in keys[:1])]

    def action_page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """Return the page of `template`, a confirmation or a progress, with `context` added to the admin's own."""
        request.current_app = self.admin_site.name
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**shared, **context})

    # Deleting

    def check_deletable(self, request: HttpRequest, row: Any) -> None:
        """Raise ValidationError for a row that must not be deleted from a list."""

    def _confirm_deletion(self, request: HttpRequest, rows: QuerySet[Any], keys: list[Any]) -> TemplateResponse:
        names: list[Any] = []
        counts: Counter[str] = Counter()
        lacking: set[str] = set()
        protected: list[str] = []
        for start in range(0, len(keys), BATCH_ROWS):
            batch = list(rows.filter(pk__in=keys[start : start + BATCH_ROWS]))
            batch_names, batch_counts, batch_lacking, batch_protected = self.get_deleted_objects(batch, request)
            names += batch_names if start < NAMED_ROWS else []
            counts += Counter(batch_counts)
            lacking |= set(batch_lacking)
            protected += batch_protected
        context = {
            "title": gettext("Delete %(rows)s?") % {"rows": self._count(len(keys))},
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
            raise ValidationError(gettext("you lack the right to delete rows that belong to it"))
        if protected:
            raise ValidationError(gettext("protected rows belong to it"))
        self.delete_model(request, row)


def _with_function(action: Any, function: Any) -> Any:
    """The action with another function: an `Action` of Django 6.1, or the tuple of older ones."""
    return (function, *action[1:]) if isinstance(action, tuple) else replace(action, func=function)


def _delete_selected(of: BulkAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
    if request.POST.get("post"):
        return of.for_each(
            request,
            rows,
            lambda row: of._delete(request, row),
            done=gettext_lazy("deleted"),
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
            return gettext("it is gone")
        case ProtectedError() | RestrictedError():
            return gettext("protected rows belong to it")
    return gettext("the database failed; try again")
