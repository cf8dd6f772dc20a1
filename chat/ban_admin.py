"""Bans in the admin: the form on the page of a room, and the actions of lists."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat import access, bans
from chat.models import BAD_END, BAN_REASON_CHARS, Membership, Room
from hubbub import users
from hubbub.admin_services import OtherResult, has_user_search
from hubbub.process import as_stored, utc
from hubbub.queries import read_users
from hubbub.text import validate_name

MAY_BAN = "chat.change_membership"
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
QUICK_CHOICES = 6  # Recent authors offered as buttons.
MAX_BANS_SHOWN = 20  # On the page of a room; a link leads to the full list.
DEFAULT_SPAN = timedelta(days=30)  # The proposed length of a ban until a date.
IN_PLACE = "HTTP_X_IN_PLACE"  # A header of in-place.js, which shows the answer within its page.
LOCAL_TIME = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class ReasonForm(ActionForm):
    """The form beside the actions of a list."""

    reason = forms.CharField(
        required=False,
        label=_("Reason for a ban:"),
        widget=forms.TextInput(attrs={"maxlength": BAN_REASON_CHARS, "size": 24}),
    )


class UserSearch(AutocompleteSelect):
    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        """Drop values that are no user key: Django would query them and fail."""
        return super().optgroups(name, [key for key in value if users.key_of(str(key)) is not None], attr)


class BanForm(forms.Form):
    """User, end and reason of a ban. The script converts `until`, in the browser's time zone, to `until_utc`."""

    recent = forms.ChoiceField(required=False, widget=forms.RadioSelect)
    user = forms.CharField(required=False)
    until = forms.DateTimeField(
        required=False,
        input_formats=LOCAL_TIME,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL_TIME[0]),
    )
    until_utc = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(required=False, max_length=BAN_REASON_CHARS, validators=[validate_name])
    refused_user = ""  # The id of a user with a newer ban, which the page then shows.
    span = forms.ChoiceField(choices=[(name, name) for name in (*SPANS, "until")], widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, choices: Sequence[Any], bans_of: Mapping[str, Membership], search_site: Any = None, **kw: Any
    ) -> None:
        """Args:
        choices: Users offered as buttons; those in `bans_of` are marked as banned.
        bans_of: Bans in force by user id.
        search_site: The admin site for the user search; None: the user is typed by name.
        """
        super().__init__(*args, **kw)
        recent: Any = self.fields["recent"]
        recent.choices = [
            (key := users.id_of(user), _marked(users.label_of(user), bans_of.get(key))) for user in choices
        ]
        self.fields["reason"].help_text = str(Membership._meta.get_field("ban_reason").help_text)
        if search_site is not None:
            key_field: Any = Membership._meta.get_field("user")
            self.fields["user"] = key_field.formfield(required=False, widget=UserSearch(key_field, search_site))
        self.fields["user"].label = _("Another user") if choices else _("User")
        if not self.is_bound and not self.initial.get("until"):
            proposed = timezone.now() + DEFAULT_SPAN
            self.initial["until"] = timezone.localtime(utc(proposed))
            # The script shows it in the browser's time zone.
            self.fields["until"].widget.attrs["data-proposed"] = utc(proposed).isoformat()

    def clean_user(self) -> str:
        """The user's id; empty if none is chosen."""
        chosen = self.cleaned_data["user"]
        if not chosen:
            return ""
        if isinstance(chosen, str):
            try:
                chosen = users.find_by_name(chosen.strip())
            except get_user_model().DoesNotExist:
                raise ValidationError(_("There is no user with this name.")) from None
        return users.id_of(chosen)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        chosen = {data.get("recent"), data.get("user")} - {None, ""}
        if len(chosen) > 1:
            self.add_error("user", _("Two users are chosen. Choose only one."))
        if not chosen and not self.errors.keys() & {"user", "recent"}:
            self.add_error("user", _("Choose a user."))
        if data.get("span") == "until" and data.get("until") is None and "until" not in self.errors:
            self.add_error("until", _("Choose the end of the ban."))
        return data

    def refuse(self, error: ValidationError) -> None:
        """Show the error of the service beside its field."""
        errors = [*chain(*error.error_dict.values())] if hasattr(error, "error_dict") else error.error_list
        self.add_error("until" if any(refusal.code == BAD_END for refusal in errors) else "user", errors)

    def focus_wrong(self) -> None:
        """Put the cursor into the first wrong field."""
        wrong = next((name for name in self.fields if name in self.errors), None)
        if wrong is not None:
            self.fields["user" if wrong == "recent" else wrong].widget.attrs["autofocus"] = True

    @property
    def user_id(self) -> str:
        return str(self.cleaned_data["recent"] or self.cleaned_data["user"])

    @property
    def ends_at(self) -> datetime:
        span = SPANS.get(self.cleaned_data["span"])
        if span is not None:
            return timezone.now() + span
        return as_stored(self.cleaned_data["until_utc"] or self.cleaned_data["until"])


class BansOfRooms(ModelAdmin):  # type: ignore[type-arg]
    """Base of RoomAdmin: a ban form on the page of a room, and a separate page for browsers without scripts."""

    def get_urls(self) -> Any:
        ban = self.admin_site.admin_view(self.ban_view)
        return [path("<path:object_id>/ban/", ban, name="chat_room_ban"), *super().get_urls()]

    def ban_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        room: Room | None = self.get_object(request, unquote(object_id))
        if room is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not (self.has_view_permission(request, room) and request.user.has_perm(MAY_BAN)):
            raise PermissionDenied
        done, refusal = "", list[str]()
        form = self.ban_form(request, room)
        if request.method == "POST" and "lift" in request.POST:
            done, refusal = self._lift(request, room)
            form = self.ban_form(request, room, **_typed(request))
        elif request.method == "POST":
            form = self.ban_form(request, room, request.POST)
            if form.is_valid() and (done := self._ban(request, room, form)):
                form = self.ban_form(request, room)
        if done and IN_PLACE not in request.META:
            self.message_user(request, done, messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:chat_room_change", args=[room.pk]))
        form.focus_wrong()
        block = {"room": room, "ban_done": done, "lift_errors": refusal, **self.ban_context(request, room, form)}
        if IN_PLACE in request.META:
            return TemplateResponse(request, "admin/chat/room/ban_form.html", block)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Ban a user from %(room)s") % {"room": room},
            "opts": self.opts,
            "media": self.media + form.media,
            **block,
        }
        return TemplateResponse(request, "admin/chat/room/ban.html", context)

    def ban_form(self, request: HttpRequest, room: Room, data: Any = None, **initial: Any) -> BanForm:
        my_id = users.id_of(request.user)
        choices = {users.id_of(author): author for author in access.last_authors(room, QUICK_CHOICES)}
        asked_for = request.GET.get("user", "")
        for user in read_users({key} if (key := users.key_of(asked_for)) is not None else set()).values():
            choices = {asked_for: user} | choices
        return BanForm(
            data,
            initial={"recent": asked_for, **initial},
            choices=[user for user_id, user in choices.items() if user_id != my_id],
            bans_of={users.id_of_key(ban.user_id): ban for ban in access.bans_in(room, choices)},
            search_site=self.admin_site if has_user_search(self.admin_site, request) else None,
        )

    def ban_context(self, request: HttpRequest, room: Room, form: BanForm) -> dict[str, Any]:
        """Template context: the bans in force, and the versions of all bans that the form shows."""
        shown = list(access.bans_in(room)[: MAX_BANS_SHOWN + 1])
        more = access.bans_in(room).count() - MAX_BANS_SHOWN if len(shown) > MAX_BANS_SHOWN else 0
        named = [str(key) for key, _ in form.fields["recent"].choices]  # type: ignore[attr-defined]
        named += [form.refused_user, request.POST.get("lift", "")]
        known = [*shown[:MAX_BANS_SHOWN], *access.bans_in(room, named)]
        rows = [
            {"id": users.id_of_key(ban.user_id), "user": ban.user, "end": bans.end_of(ban), "reason": ban.ban_reason}
            for ban in shown[:MAX_BANS_SHOWN]
        ]
        seen = " ".join(dict.fromkeys(bans.version_of(ban) for ban in known))
        return {"ban_form": form, "bans": rows, "more_bans": more, "seen": seen}

    def _ban(self, request: HttpRequest, room: Room, form: BanForm) -> str:
        """Ban the user. The result for the page; empty if refused: the form has the errors."""
        how: Any = {"until": form.ends_at, "reason": form.cleaned_data["reason"], "by": users.id_of(request.user)}
        try:
            ban = bans.ban_user(room_id=room.pk, user_id=form.user_id, seen=_seen(request), **how)
        except ValidationError as error:
            form.refused_user = form.user_id
            form.refuse(error)
            return ""
        log_ban(self, request, None, ban)
        values = {"user": ban.user, "room": room, "end": bans.end_of(ban)}
        return _("%(user)s is banned from %(room)s until %(end)s.") % values

    def _lift(self, request: HttpRequest, room: Room) -> tuple[str, list[str]]:
        """Lift a ban. The result for the page, and the errors."""
        try:
            before = bans.lift_ban(room_id=room.pk, user_id=request.POST["lift"], seen=_seen(request))
        except ValidationError as error:
            return "", error.messages
        if before is None:
            return "", [gettext("This ban no longer exists.")]
        log_ban(self, request, before, None)
        return _("The ban of %(user)s is lifted.") % {"user": before.user}, []


def log_ban(of: Any, request: HttpRequest, before: Membership | None, after: Membership | None) -> None:
    """Log a new, changed or lifted ban in the history of the room. `of`: the admin of any model."""
    was = before is not None and before.is_banned
    if after is not None and after.is_banned:
        if before is None or any(getattr(before, name) != getattr(after, name) for name in bans.BAN_FIELDS):
            reason = after.ban_reason and f": {after.ban_reason}"
            of.log_change(request, after.room, f"Banned {after.user} until {bans.end_of(after)}{reason}.")
    elif before is not None and was:
        of.log_change(request, before.room, f"Lifted the ban of {before.user}, which ran until {bans.end_of(before)}.")


def ban_many(of: Any, request: HttpRequest, room_id: int, user_id: str, until: datetime) -> OtherResult | None:
    """Ban one user for an action on many rows. A longer ban stays and is reported."""
    reason = request.POST.get("reason", "")
    how: Any = {"until": until, "reason": reason, "by": users.id_of(request.user), "keep_longer": True}
    ban = bans.ban_user(room_id=room_id, user_id=user_id, **how)
    if ban.banned_until is not None and ban.banned_until > until:
        values = {"user": ban.user, "room": ban.room, "end": bans.end_of(ban)}
        return OtherResult(gettext("%(user)s is already banned from %(room)s for longer, until %(end)s") % values)
    log_ban(of, request, None, ban)
    return None


def ban_page(room_id: int, user_key: Any) -> str:
    """The address of the page to ban this user from the room."""
    return reverse("admin:chat_room_ban", args=[room_id], query={"user": users.id_of_key(user_key)})


def _marked(name: str, ban: Membership | None) -> str:
    if ban is None:
        return format_html("<bdi>{}</bdi>", name)
    until = gettext("banned until %(end)s") % {"end": bans.end_of(ban)}
    return format_html('<bdi>{}</bdi> <span class="ban-mark">{}</span>', name, until)


def _typed(request: HttpRequest) -> dict[str, str]:
    """The input of the ban form, kept when its lift button is pressed."""
    return {name: request.POST.get(name, "") for name in ("recent", "user", "reason", "until")}


def _seen(request: HttpRequest) -> list[str]:
    return request.POST.get("seen", "").split()
