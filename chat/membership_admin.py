"""Memberships in the admin: their own list, and a table on the page of a room. Registered by admin.py.

A form changes only fields that its user has changed. A ban that came since the form was opened is not overwritten.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat import bans
from chat.ban_admin import SPANS, ReasonForm, ban_many, log_ban
from chat.list_filters import PrivateRoomFilter, RoomFilter
from chat.models import Membership, Message
from hubbub import users
from hubbub.admin_services import (
    OtherResult,
    ServiceAdmin,
    link_to,
    link_to_list,
    user_search_fields,
    user_widget,
)

FIELDS = ["role", "banned_until", "ban_reason"]


class ShownDateTimeField(forms.SplitDateTimeField):
    """Keeps the shown time in one hidden field: Django loses a pair of them when it shows the form again."""

    hidden_widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(_time_in(initial) if isinstance(initial, str) else initial, data)


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]
    """The user of a membership cannot be changed: another user needs another membership."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self._own_fields():
            # A script may send the form without the hidden fields.
            shown = self.add_initial_prefix(name)
            is_shown = shown in self.data if self.is_bound else self.instance.pk is not None
            self.fields[name].show_hidden_initial = is_shown
        if self.instance.pk is not None and "user" in self.fields:
            user = self.fields["user"]
            user.disabled = True
            # The default widget runs a query for the name of each row.
            user.widget = forms.Select(choices=[(self.instance.user_id, str(self.instance.user))])

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.instance.pk is not None:
            for name in set(self._own_fields()) - set(self.changed_data):
                self.cleaned_data[name] = getattr(self.instance, name)
        return cleaned

    @property
    def changes(self) -> dict[str, Any]:
        """The changed fields; all fields for a new membership."""
        names = self._own_fields() if self.instance.pk is None else self.changed_data
        return {name: self.cleaned_data[name] for name in names if name in FIELDS}

    @property
    def seen_until(self) -> datetime | None:
        """The end of the ban that the page showed."""
        field = self.fields.get("banned_until")
        if field is not None and field.show_hidden_initial:
            return _time_in(self.data[self.add_initial_prefix("banned_until")])
        until: datetime | None = self.initial.get("banned_until")
        return until

    def _own_fields(self) -> list[str]:
        return [name for name in FIELDS if name in self.fields]


class MembershipFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    def _should_delete_form(self, form: Any) -> bool:
        """A row that another user deleted is dropped without an error, unless this form changed it."""
        is_gone = form in self.initial_forms and form.instance.pk is None
        return bool(super()._should_delete_form(form) or (is_gone and not {*form.changed_data} & {*FIELDS}))  # type: ignore[misc]


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    fields = ["user", "role", "banned_until"]
    extra = 0
    formfield_overrides = {DateTimeField: {"form_class": ShownDateTimeField, "widget": AdminSplitDateTime}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "room")

    def get_ordering(self, request: HttpRequest) -> Any:
        return [users.name_lookup("user"), "pk"]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        return user_search_fields(self)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_foreignkey(db_field, request, **user_widget(self, db_field), **kwargs)


class BannedFilter(admin.SimpleListFilter):
    title = _("banned now")
    parameter_name = "banned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        match self.value():
            case "yes":
                return queryset.filter(banned_until__gt=now)
            case "no":
                return queryset.exclude(banned_until__gt=now)
        return queryset


class MemberFilter(admin.SimpleListFilter):
    """The links from counts of members in other lists use it, so that count and rows agree."""

    title = _("membership")
    parameter_name = "member"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Members")), ("no", _("Only banned"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.exclude(role=Membership.Role.NONE)
            case "no":
                return queryset.filter(role=Membership.Role.NONE)
        return queryset


class MembershipAdmin(ServiceAdmin):
    list_display = ["member", "role", "banned", "ban_reason", "in_room", "of_user", "message_list", "created_at"]
    list_filter = [MemberFilter, "role", BannedFilter, ("room__is_private", PrivateRoomFilter), ("room", RoomFilter)]
    search_fields = ["room__slug", "room__title", "ban_reason"]
    search_help_text = _("Search names of users and rooms, and reasons of bans.")
    form = MembershipForm
    fields = ["room", "user", *FIELDS]
    formfield_overrides = MembershipInline.formfield_overrides
    autocomplete_fields = ["room"]
    actions = ["make_moderator", "make_member", "ban_hour", "ban", "ban_week", "lift_ban"]
    action_form = ReasonForm

    class Media:
        css = {"all": ["chat/css/admin-ban.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "room")

    def get_ordering(self, request: HttpRequest) -> Any:
        return [users.name_lookup("user")]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *users.name_searches("user")]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return [] if obj is None else ["room", "user", "message_list"]

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return self.fields if obj is None else [*self.fields, "message_list"]

    @admin.display(description=_("user"), ordering=users.name_lookup("user"))
    def member(self, membership: Membership) -> str:
        return users.label_of(membership.user)

    @admin.display(description=_("room"), ordering="room")
    def in_room(self, membership: Membership) -> str:
        return link_to(membership.room)

    @admin.display(description=_("account"))
    def of_user(self, membership: Membership) -> str:
        return link_to(membership.user, text=gettext("Account"))

    @admin.display(description=_("messages"))
    def message_list(self, membership: Membership) -> str:
        query = {"author__exact": users.id_of_key(membership.user_id), "room__id__exact": membership.room_id}
        return link_to_list(Message, gettext("Messages"), **query)

    @admin.display(description=_("banned until"), ordering="banned_until")
    def banned(self, membership: Membership) -> datetime | None:
        return membership.banned_until if membership.is_banned else None

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        save_membership(self, request, form)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        remove_membership(self, request, obj, obj.banned_until)

    @admin.action(description=_("Make moderators"), permissions=["change"])
    def make_moderator(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._make(request, queryset, Membership.Role.MODERATOR, _("made moderators"))

    @admin.action(description=_("Make members (not moderators)"), permissions=["change"])
    def make_member(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._make(request, queryset, Membership.Role.MEMBER, _("made members"))

    @admin.action(description=_("Ban for an hour"), permissions=["change"])
    def ban_hour(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "hour", _("banned for an hour"))

    @admin.action(description=_("Ban for a day"), permissions=["change"])
    def ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "day", _("banned for a day"))

    @admin.action(description=_("Ban for a week"), permissions=["change"])
    def ban_week(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "week", _("banned for a week"))

    @admin.action(description=_("Lift the ban"), permissions=["change"])
    def lift_ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        def lift(membership: Membership) -> OtherResult | None:
            before = bans.lift_ban(**ids_of(membership))
            log_ban(self, request, before, None)
            return (
                OtherResult(gettext("%(membership)s had no ban") % {"membership": membership})
                if before is None
                else None
            )

        return self.for_each(request, queryset, lift, done=_("no longer banned"))

    def _make(
        self, request: HttpRequest, memberships: QuerySet[Membership], role: str, done: str | Promise
    ) -> HttpResponse | None:
        def change(membership: Membership) -> None:
            bans.change_membership(**ids_of(membership), seen_until=None, role=role)

        return self.for_each(request, memberships, change, done=done)

    def _ban(
        self, request: HttpRequest, memberships: QuerySet[Membership], span: str, done: str | Promise
    ) -> HttpResponse | None:
        until = timezone.now() + SPANS[span]
        return self.for_each(
            request,
            memberships,
            lambda membership: ban_many(self, request, **ids_of(membership), until=until),
            done=done,
        )


def save_membership(of: Any, request: HttpRequest, form: MembershipForm) -> None:
    """Save the form of a membership and log its ban. `of`: the admin of any model, which writes the log entry."""
    membership = form.instance
    by: Any = {"by": users.id_of(request.user)}
    if membership.pk is not None:
        seen = form.seen_until
        before, after = bans.change_membership(**ids_of(membership), seen_until=seen, **form.changes, **by)
        log_ban(of, request, before, after)
    else:
        after = bans.add_membership(**ids_of(membership), **form.changes, **by)
        log_ban(of, request, None, after)
        membership.pk = after.pk


def remove_membership(of: Any, request: HttpRequest, membership: Membership, seen_until: datetime | None) -> None:
    """Delete the membership and its ban, and log it."""
    log_ban(of, request, bans.remove_membership(**ids_of(membership), seen_until=seen_until), None)


def ids_of(membership: Membership) -> dict[str, Any]:
    return {"room_id": membership.room_id, "user_id": users.id_of_key(membership.user_id)}


def _time_in(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
