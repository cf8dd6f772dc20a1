"""Rooms, memberships and messages in the admin. Every change is a call of a service, so open pages learn of it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.messages import WARNING
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator

from chat import access, services
from chat.models import Membership, Message, Room
from realtime import users
from realtime.service_admin import ServiceAdmin, searched_users, user_widget

INLINE_MEMBERS = 100  # More would not fit Django's limit of 1000 fields in a form; they have their own list.
MODERATED_AT_ONCE = 500  # The same limit: the page that asks for confirmation sends each message's id.
BAN = timedelta(days=1)
EXCERPT_CHARS = 80


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
class RoomAdmin(ServiceAdmin):
    list_display = ["title", "slug", "is_private", "is_archived", "members", "messages", "created_at"]
    list_filter = ["is_private", "is_archived", "created_at"]
    search_fields = ["slug", "title", "topic"]
    search_help_text = "Search titles, topics and the names in addresses."
    fields = ["title", "slug", "topic", "is_private", "is_archived"]
    actions = ["archive", "unarchive", "make_private", "make_public"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        members = Membership.objects.filter(room=OuterRef("pk")).order_by().values("room").annotate(n=Count("pk"))
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
        return [MembershipInline] if obj is None or obj.member_count <= INLINE_MEMBERS else []  # type: ignore[attr-defined]

    def view_on_site(self, obj: Room) -> str:
        return reverse("room", args=[obj.slug])

    @admin.display(description="members", ordering="member_count")
    def members(self, room: Any) -> str:
        return _link_to_list(room, Membership, room.member_count)

    @admin.display(description="messages", ordering="last_seq")
    def messages(self, room: Room) -> str:
        # Deleted ones keep their number, so the last number is their count.
        return _link_to_list(room, Message, room.last_seq)

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
            _save_membership(membership)

    # Deleting

    def delete_model(self, request: HttpRequest, obj: Room) -> None:
        with suppress(Room.DoesNotExist):
            services.delete_room(room_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Room]) -> None:
        for room in queryset:
            self.delete_model(request, room)

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
    def archive(self, request: HttpRequest, queryset: QuerySet[Room]) -> None:
        self._change_each(request, queryset, "archived", is_archived=True)

    @admin.action(description="Open again: no longer archived", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Room]) -> None:
        self._change_each(request, queryset, "opened again", is_archived=False)

    @admin.action(description="Make private: members only", permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: QuerySet[Room]) -> None:
        self._change_each(request, queryset, "made private", is_private=True)

    @admin.action(description="Make public: for everybody who is signed in", permissions=["change"])
    def make_public(self, request: HttpRequest, queryset: QuerySet[Room]) -> None:
        self._change_each(request, queryset, "made public", is_private=False)

    def _change_each(self, request: HttpRequest, rooms: QuerySet[Room], done: str, **changes: bool) -> None:
        self.for_each(request, rooms, lambda room: services.change_room(room_id=room.pk, **changes), done=done)


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
    list_display = ["user", "role", "banned", "banned_until", "room", "created_at"]
    list_filter = ["role", BannedFilter, "room__is_private", "room"]
    search_fields = ["room__slug", "room__title"]
    search_help_text = "Search names of users and rooms."
    fields = ["room", "user", "role", "banned_until"]
    autocomplete_fields = ["room"]
    actions = ["make_moderator", "make_member", "ban", "lift_ban"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "room")

    def get_ordering(self, request: HttpRequest) -> Any:
        return [users.name_lookup("user")]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *users.name_searches("user")]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return [] if obj is None else ["room", "user"]

    @admin.display(boolean=True, ordering="banned_until")
    def banned(self, membership: Membership) -> bool:
        return membership.is_banned

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        _save_membership(obj)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_membership(room_id=obj.room_id, user_id=users.id_of_key(obj.user_id))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)

    @admin.action(description="Make moderators of their rooms", permissions=["change"])
    def make_moderator(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self._change_each(request, queryset, "made moderators", role=Membership.Role.MODERATOR)

    @admin.action(description="Make plain members", permissions=["change"])
    def make_member(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self._change_each(request, queryset, "made plain members", role=Membership.Role.MEMBER)

    @admin.action(description="Ban for a day from their rooms", permissions=["change"])
    def ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self._change_each(request, queryset, "banned for a day", banned_until=timezone.now() + BAN)

    @admin.action(description="Lift the ban", permissions=["change"])
    def lift_ban(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self._change_each(request, queryset, "freed of the ban", banned_until=None)

    def _change_each(self, request: HttpRequest, memberships: QuerySet[Membership], done: str, **changes: Any) -> None:
        def change(membership: Membership) -> None:
            for name, value in changes.items():
                setattr(membership, name, value)
            _save_membership(membership)

        self.for_each(request, memberships, change, done=done)


class MessageStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("present", "Not deleted"), ("edited", "Edited"), ("deleted", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "present":
                return queryset.filter(deleted_at=None)
            case "edited":
                return queryset.filter(deleted_at=None).exclude(edited_at=None)
            case "deleted":
                return queryset.exclude(deleted_at=None)
        return queryset


class PostedFilter(admin.DateFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "time"


@admin.register(Message)
class MessageAdmin(ServiceAdmin):
    """To be read and moderated. Never added, edited or hard-deleted here: people's words are their own."""

    list_display = ["__str__", "state", "author", "excerpt", "posted_at"]
    list_filter = [MessageStateFilter, ("at", PostedFilter), "room"]
    list_select_related = ["author", "room"]
    search_fields = ["body"]
    search_help_text = "Search words and the names of authors."
    # Newest first by the primary key: sorting by time would read the whole table.
    ordering = ["-pk"]
    show_full_result_count = False
    readonly_fields = ["room", "seq", "author", "body", "at", "edited_at", "deleted_at", "position", "client_id"]
    actions = ["moderate"]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *users.name_searches("author")]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chat.change_message")

    @admin.display(description="text")
    def excerpt(self, message: Message) -> str:
        return Truncator(message.body).chars(EXCERPT_CHARS)

    @admin.display(ordering="at")
    def posted_at(self, message: Message) -> datetime:
        return message.at

    @admin.display(ordering="deleted_at")
    def state(self, message: Message) -> str:
        if message.deleted_at is not None:
            return "deleted"
        return "edited" if message.edited_at is not None else ""

    @admin.action(description="Delete the selected messages (they keep their place)", permissions=["moderate"])
    def moderate(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        present = queryset.filter(deleted_at=None)
        count = present.count()
        if count == 0:
            self.message_user(request, "These messages are deleted already.", messages.WARNING)
            return None
        if count > MODERATED_AT_ONCE:
            text = f"{count} messages are too many: at most {MODERATED_AT_ONCE} can be deleted at once."
            self.message_user(request, text, messages.ERROR)
            return None
        if "confirmed" in request.POST:
            self.for_each(request, present, lambda one: services.moderate_message(message_id=one.pk), done="deleted")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete the selected messages?",
            "opts": self.opts,
            "selected": present,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/chat/message/moderate.html", context)


def _save_membership(membership: Membership) -> None:
    saved = services.set_membership(
        room_id=membership.room_id,
        user_id=users.id_of_key(membership.user_id),
        role=membership.role,
        banned_until=membership.banned_until,
    )
    membership.pk = saved.pk


def _link_to_list(room: Room, model: type[Membership] | type[Message], count: int) -> str:
    address = reverse(f"admin:chat_{model._meta.model_name}_changelist", query={"room__id__exact": room.pk})
    return format_html('<a href="{}">{}</a>', address, count)
