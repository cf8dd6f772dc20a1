"""Banning in the admin: the form of a room's page, and the actions of lists."""

from collections.abc import Sequence
from datetime import datetime, timedelta
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

from chat import access, bans
from chat.models import BAN_REASON_CHARS, Membership, Room
from hubbub import users
from hubbub.admin_services.base import has_user_search
from hubbub.text.names import validate_name

MAY_BAN = "chat.change_membership"
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
QUICK_CHOICES = 6  # Of those who wrote last.
LOCAL_TIME = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class ReasonForm(ActionForm):
    """Beside the actions of a list."""

    reason = forms.CharField(
        required=False,
        label="Reason of a ban:",
        widget=forms.TextInput(attrs={"maxlength": BAN_REASON_CHARS, "size": 24}),
    )


class BanForm(forms.Form):
    """Who is banned, until when and why. `until` is in the browser's zone if its script has filled `until_utc`."""

    recent = forms.ChoiceField(required=False, widget=forms.RadioSelect)
    user = forms.CharField(required=False, label="Somebody else")
    reason = forms.CharField(required=False, max_length=BAN_REASON_CHARS, validators=[validate_name])
    span = forms.ChoiceField(choices=[(name, name) for name in (*SPANS, "until")], widget=forms.HiddenInput)
    until = forms.DateTimeField(
        required=False,
        input_formats=LOCAL_TIME,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL_TIME[0]),
    )
    until_utc = forms.DateTimeField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, choices: Sequence[Any], search_site: Any = None, **kwargs: Any) -> None:
        """`choices`: users to choose from at once. `search_site`: the admin that has a search for the others."""
        super().__init__(*args, **kwargs)
        recent: Any = self.fields["recent"]
        recent.choices = [(users.id_of(one), users.name_of(one)) for one in choices]
        self.fields["reason"].help_text = str(Membership._meta.get_field("ban_reason").help_text)
        if search_site is not None:
            key: Any = Membership._meta.get_field("user")
            widget = AutocompleteSelect(key, search_site)
            self.fields["user"] = key.formfield(required=False, label="Somebody else", widget=widget)

    def clean_user(self) -> str:
        """The id; empty: nobody."""
        chosen = self.cleaned_data["user"]
        if not chosen:
            return ""
        if isinstance(chosen, str):
            try:
                chosen = users.find_by_name(chosen.strip())
            except get_user_model().DoesNotExist:
                raise ValidationError("There is no user of this name.") from None
        return users.id_of(chosen)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        chosen = {data.get("recent"), data.get("user")} - {None, ""}
        if len(chosen) > 1:
            raise ValidationError("Two users are chosen. Choose one of them.")
        if not chosen and "user" not in self.errors:
            raise ValidationError("Choose the user.")
        if data.get("span") == "until" and data.get("until") is None and "until" not in self.errors:
            self.add_error("until", "Choose the end of the ban.")
        return data

    @property
    def user_id(self) -> str:
        return str(self.cleaned_data["recent"] or self.cleaned_data["user"])

    @property
    def ends_at(self) -> datetime:
        span = SPANS.get(self.cleaned_data["span"])
        if span is not None:
            return timezone.now() + span
        end: datetime = self.cleaned_data["until_utc"] or self.cleaned_data["until"]
        return end


class BansOfRooms(ModelAdmin):  # type: ignore[type-arg]
    """For RoomAdmin: a form on the page of each room, and a page of its own for what it was refused for."""

    def get_urls(self) -> Any:
        ban = self.admin_site.admin_view(self.ban_view)
        return [path("<path:object_id>/ban/", ban, name="chat_room_ban"), *super().get_urls()]

    def ban_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        room: Room | None = self.get_object(request, unquote(object_id))
        if room is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not (self.has_view_permission(request, room) and request.user.has_perm(MAY_BAN)):
            raise PermissionDenied
        form = self.ban_form(request, room, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid() and self._ban(request, room, form):
            return HttpResponseRedirect(reverse("admin:chat_room_change", args=[room.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Ban somebody from {room}",
            "opts": self.opts,
            "room": room,
            "ban_form": form,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/chat/room/ban.html", context)

    def ban_form(self, request: HttpRequest, room: Room, data: Any = None) -> BanForm:
        my_id = users.id_of(request.user)
        choices = {users.id_of(one): one for one in access.last_authors(room, QUICK_CHOICES)}
        asked_for = request.GET.get("user", "")
        for user in users.read_users({key} if (key := users.key_of(asked_for)) is not None else set()).values():
            choices = {asked_for: user} | choices
        others = [user for user_id, user in choices.items() if user_id != my_id]
        return BanForm(
            data,
            initial={"recent": asked_for},
            choices=others,
            search_site=self.admin_site if has_user_search(self.admin_site, request) else None,
        )

    def _ban(self, request: HttpRequest, room: Room, form: BanForm) -> bool:
        until, reason = form.ends_at, form.cleaned_data["reason"]
        by = users.id_of(request.user)
        try:
            ban = bans.ban_user(room_id=room.pk, user_id=form.user_id, until=until, reason=reason, by=by)
        except ValidationError as error:
            form.add_error(None, error.messages)
            return False
        end = f"{timezone.localtime(until):%Y-%m-%d %H:%M %Z}"
        self.log_change(request, room, f"Banned {ban.user} until {end}{reason and f': {reason}'}.")
        self.message_user(request, f"The user {ban.user} is banned from {room} until {end}.", messages.SUCCESS)
        return True


def ban_page(room_id: int, user_key: Any) -> str:
    """The page on which this user can be banned from the room."""
    return reverse("admin:chat_room_ban", args=[room_id], query={"user": users.id_of_key(user_key)})
