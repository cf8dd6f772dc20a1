"""Rooms and memberships in the admin. Every change is a call of a service, so open pages learn of it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.messages import WARNING
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from chat import access, bans, deletion, services
from chat.ban_admin import MAY_BAN, SPANS, BansOfRooms, ReasonForm
from chat.list_filters import PrivateRoomFilter, RoomFilter
from chat.message_admin import MessageAdmin
from chat.models import Membership, Message, Room
from realtime import users
from realtime.admin_links import link_to, link_to_list
from realtime.service_admin import ServiceAdmin, searched_users, user_widget

INLINE_MEMBERS = 100  # More would not fit Django's limit of 1000 fields in a form; they have their own list.
FROM_LOBBY = "from_lobby"  # In the address of the page for a new room: where to return to.

admin.site.register(Message, MessageAdmin)


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whom a membership is of stays: another user is another membership."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and "user" in self.fields:
            user = self.fields["user"]
            user.disabled = True
            # Its own widget would ask the database for each row's name.
            user.widget = forms.Select(choices=[(self.instance.user_id, str(self.instance.user))])


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    form = MembershipForm
    fields = ["user", "role", "banned_until"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "room")

    def get_ordering(self, request: HttpRequest) -> Any:
        return [users.name_lookup("user"), "pk"]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        return searched_users(self)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_foreignkey(db_field, request, **user_widget(self, db_field), **kwargs)


@admin.register(Room)
class RoomAdmin(BansOfRooms, ServiceAdmin):
    list_display = ["title", "slug", "is_private", "is_archived", "members", "messages", "created_at"]
    list_filter = ["is_private", "is_archived", "created_at"]
    search_fields = ["slug", "title", "topic"]
    search_help_text = "Search titles, topics and the names in addresses."
    fields = ["title", "slug", "topic", "is_private", "is_archived"]
    actions = ["archive", "unarchive", "make_private", "make_public"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        in_room = Membership.objects.filter(room=OuterRef("pk")).exclude(role=Membership.Role.NONE).order_by()
        members = in_room.values("room").annotate(n=Count("pk"))
        count = Coalesce(Subquery(members.values("n"), output_field=IntegerField()), 0)
        rooms: QuerySet[Room] = super().get_queryset(request).annotate(member_count=count)
        return rooms

    def get_fields(self, request: HttpRequest, obj: Room | None = None) -> Any:
        return self.fields if obj is None else [*self.fields, "members", "messages", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Room | None = None) -> Any:
        return [] if obj is None else ["slug", "members", "messages", "created_at"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Room | None = None) -> dict[str, Sequence[str]]:
        return {"slug": ["title"]} if obj is None else {}

    def get_inlines(self, request: HttpRequest, obj: Room | None) -> Any:
        return [MembershipInline] if obj is None or obj.memberships.count() <= INLINE_MEMBERS else []

    def view_on_site(self, obj: Room) -> str:
        return reverse("room", args=[obj.slug])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        room: Room | None = kwargs.get("obj")
        response = super().render_change_form(request, context, *args, **kwargs)
        if room is not None:
            # To those who may not read the room its page is not found.
            context["has_absolute_url"] = access.find_room(users.id_of(request.user), room.slug) is not None
            if request.user.has_perm(MAY_BAN):
                context["ban_form"] = form = self.ban_form(request, room)
                context["media"] += form.media
        return response

    def response_add(self, request: HttpRequest, obj: Room, post_url_continue: str | None = None) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        if FROM_LOBBY in request.GET and "_save" in request.POST:
            may_enter = access.find_room(users.id_of(request.user), obj.slug) is not None
            return HttpResponseRedirect(reverse("room", args=[obj.slug]) if may_enter else reverse("lobby"))
        return response

    @admin.display(description="members", ordering="member_count")
    def members(self, room: Any) -> str:
        return link_to_list(Membership, room.member_count, room__id__exact=room.pk)

    @admin.display(description="messages", ordering="last_seq")
    def messages(self, room: Room) -> str:
        # Deleted ones keep their number, so the last number is their count.
        return link_to_list(Message, room.last_seq, room__id__exact=room.pk)

    # Saving

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        if change:
            services.change_room(room_id=obj.pk, **{name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.pk = services.create_room(**form.cleaned_data).pk
        if "title" in form.changed_data and (alike := access.rooms_that_look_like(obj)):
            named = ", ".join(f"{room.title} ({room.slug})" for room in alike[:5])
            self.message_user(request, f"Other rooms have this title, or one that looks like it: {named}.", WARNING)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for gone in formset.deleted_objects:
            services.remove_membership(room_id=gone.room_id, user_id=users.id_of_key(gone.user_id))
        for membership in [*formset.new_objects, *(changed for changed, _ in formset.changed_objects)]:
            _save_membership(request, membership)

    # Deleting

    def delete_model(self, request: HttpRequest, obj: Room) -> None:
        with suppress(Room.DoesNotExist):
            deletion.delete_room(room_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # Counts, not Django's list of each message; and who may delete a room may delete what is in it.
        rooms = list(objs)
        counts = {
            "rooms": len(rooms),
            "memberships": Membership.objects.filter(room__in=rooms).count(),
            "messages": Message.objects.filter(room__in=rooms).count(),
        }
        return [f"{room.title} ({room.slug})" for room in rooms], counts, set(), []

    # Actions

    @admin.action(description="Archive: can be read, but not written to", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, "archived", is_archived=True)

    @admin.action(description="Open again: no longer archived", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, "opened again", is_archived=False)

    @admin.action(description="Make private: members only", permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, "made private", is_private=True)

    @admin.action(description="Make public: for everybody who is signed in", permissions=["change"])
    def make_public(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, "made public", is_private=False)

    def _change_each(
        self, request: HttpRequest, rooms: QuerySet[Room], done: str, **changes: bool
    ) -> HttpResponse | None:
        return self.for_each(request, rooms, lambda room: services.change_room(room_id=room.pk, **changes), done=done)


class BannedFilter(admin.SimpleListFilter):
    title = "banned now"
    parameter_name = "banned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        match self.value():
            case "yes":
                return queryset.filter(banned_until__gt=now)
            case "no":
                return queryset.exclude(banned_until__gt=now)
        return queryset


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    list_display = ["member", "role", "banned", "ban_reason", "in_room", "of_user", "said", "created_at"]
    list_filter = ["role", BannedFilter, ("room__is_private", PrivateRoomFilter), ("room", RoomFilter)]
    search_fields = ["room__slug", "room__title", "ban_reason"]
    search_help_text = "Search names of users and rooms, and reasons of bans."
    fields = ["room", "user", "role", "banned_until", "ban_reason"]
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
        return [] if obj is None else ["room", "user", "said"]

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return self.fields if obj is None else [*self.fields, "said"]

    @admin.display(description="user", ordering=users.name_lookup("user"))
    def member(self, membership: Membership) -> str:
        return users.name_of(membership.user)

    @admin.display(description="room", ordering="room")
    def in_room(self, membership: Membership) -> str:
        return link_to(membership.room)

    @admin.display(description="account")
    def of_user(self, membership: Membership) -> str:
        return link_to(membership.user, text="Account")

    @admin.display(description="messages")
    def said(self, membership: Membership) -> str:
        query = {"author__exact": users.id_of_key(membership.user_id), "room__id__exact": membership.room_id}
        return link_to_list(Message, "Messages", **query)

    @admin.display(description="banned until", ordering="banned_until")
    def banned(self, membership: Membership) -> datetime | None:
        return membership.banned_until if membership.is_banned else None

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        _save_membership(request, obj)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_membership(room_id=obj.room_id, user_id=users.id_of_key(obj.user_id))

    @admin.action(description="Make moderators of their rooms", permissions=["change"])
    def make_moderator(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._make(request, queryset, Membership.Role.MODERATOR, "made moderators")

    @admin.action(description="Make plain members", permissions=["change"])
    def make_member(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._make(request, queryset, Membership.Role.MEMBER, "made plain members")

    @admin.action(description="Ban for an hour from their rooms", permissions=["change"])
    def ban_hour(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "hour", "banned for an hour")

    @admin.action(description="Ban for a day from their rooms", permissions=["change"])
    def ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "day", "banned for a day")

    @admin.action(description="Ban for a week from their rooms", permissions=["change"])
    def ban_week(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self._ban(request, queryset, "week", "banned for a week")

    @admin.action(description="Lift the ban", permissions=["change"])
    def lift_ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self.for_each(request, queryset, lambda one: bans.lift_ban(**_ids_of(one)), done="no longer banned")

    def _make(
        self, request: HttpRequest, memberships: QuerySet[Membership], role: str, done: str
    ) -> HttpResponse | None:
        def change(one: Membership) -> None:
            ban: Any = {"banned_until": one.banned_until, "ban_reason": one.ban_reason}
            services.set_membership(**_ids_of(one), role=role, **ban)

        return self.for_each(request, memberships, change, done=done)

    def _ban(
        self, request: HttpRequest, memberships: QuerySet[Membership], span: str, done: str
    ) -> HttpResponse | None:
        how: Any = {
            "until": timezone.now() + SPANS[span],
            "reason": request.POST.get("reason", ""),
            "by": users.id_of(request.user),
            "keep_longer": True,
        }
        return self.for_each(request, memberships, lambda one: bans.ban_user(**_ids_of(one), **how), done=done)


def _save_membership(request: HttpRequest, membership: Membership) -> None:
    if membership.banned_until is not None and membership.is_banned:
        by = users.id_of(request.user)
        bans.check_ban(user_id=users.id_of_key(membership.user_id), until=membership.banned_until, by=by)
    saved = services.set_membership(
        **_ids_of(membership),
        role=membership.role,
        banned_until=membership.banned_until,
        ban_reason=membership.ban_reason,
    )
    membership.pk = saved.pk


def _ids_of(membership: Membership) -> dict[str, Any]:
    return {"room_id": membership.room_id, "user_id": users.id_of_key(membership.user_id)}
