"""Rooms in the admin, and the registration of all of chat. Changes are service calls, so open pages update."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.messages import ERROR, SUCCESS, WARNING
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from chat import access, bans, deletion, services
from chat.ban_admin import IN_PLACE, MAY_BAN, BansOfRooms
from chat.membership_admin import MembershipAdmin, MembershipInline, remove_membership, save_membership
from chat.message_admin import MessageAdmin
from chat.models import Membership, Message, Room
from hubbub import users
from hubbub.admin_services import ServiceAdmin, link_to_list

INLINE_MEMBERS = 100  # More would exceed Django's limit of 1000 fields in a form; the membership list shows all.

MAY_JOIN = "chat.add_membership"

admin.site.register(Message, MessageAdmin)
admin.site.register(Membership, MembershipAdmin)


@admin.register(Room)
class RoomAdmin(BansOfRooms, ServiceAdmin):
    list_display = ["title", "slug", "is_private", "is_archived", "members", "banned", "messages", "created_at"]
    list_filter = ["is_private", "is_archived", "created_at"]
    search_fields = ["slug", "title", "description"]
    search_help_text = _("Search titles, descriptions and addresses.")
    fields = ["title", "slug", "description", "is_private", "is_archived"]
    actions = ["archive", "unarchive", "make_private", "make_public"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        in_room = Membership.objects.filter(room=OuterRef("pk")).order_by()
        rooms: QuerySet[Room] = super().get_queryset(request)
        return rooms.annotate(
            member_count=_count(in_room.exclude(role=Membership.Role.NONE)),
            banned_count=_count(in_room.filter(banned_until__gt=timezone.now())),
        )

    def get_fields(self, request: HttpRequest, obj: Room | None = None) -> Any:
        return self.fields if obj is None else [*self.fields, "members", "banned", "messages", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Room | None = None) -> Any:
        return [] if obj is None else ["slug", "members", "banned", "messages", "created_at"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Room | None = None) -> dict[str, Sequence[str]]:
        return {"slug": ["title"]} if obj is None else {}

    def get_inlines(self, request: HttpRequest, obj: Room | None) -> Any:
        return [MembershipInline] if obj is None or obj.memberships.count() <= INLINE_MEMBERS else []

    def view_on_site(self, obj: Room) -> str:
        return reverse("chat:room", args=[obj.slug])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        room: Room | None = kwargs.get("obj")
        response = super().render_change_form(request, context, *args, **kwargs)
        if room is not None:
            # The room's page exists only for users who may read it.
            context["has_absolute_url"] = access.find_room(users.id_of(request.user), room.slug) is not None
            context["is_outsider"] = _is_outsider(request, room)
            context["may_join"] = request.user.has_perm(MAY_JOIN)
            if request.user.has_perm(MAY_BAN):
                form = self.ban_form(request, room)
                context |= self.ban_context(request, room, form)
                context["media"] += form.media
        return response

    def get_urls(self) -> Any:
        join = self.admin_site.admin_view(self.join_view)
        return [path("<path:object_id>/join/", join, name="chat_room_join"), *super().get_urls()]

    @method_decorator(require_POST)
    def join_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make the current user a member. A room has no owner: its creator is not a member automatically."""
        room: Room | None = self.get_object(request, unquote(object_id))
        if room is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not (self.has_view_permission(request, room) and request.user.has_perm(MAY_JOIN)):
            raise PermissionDenied
        text, refusal = _("You are a member of %(room)s.") % {"room": room}, ""
        try:
            bans.add_membership(room_id=room.pk, user_id=users.id_of(request.user))
        except ValidationError as error:
            text, refusal = "", " ".join(error.messages)
        else:
            self.log_change(request, room, f"Added {request.user} as a member.")
        if IN_PLACE in request.META:
            context = {"room": room, "may_join": True, "joined": text, "refusal": refusal}
            return TemplateResponse(request, "admin/chat/room/outsider.html", context)
        self.message_user(request, text or refusal, SUCCESS if text else ERROR)
        return HttpResponseRedirect(reverse("admin:chat_room_change", args=[room.pk]))

    def response_add(self, request: HttpRequest, obj: Room, post_url_continue: str | None = None) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        if "_save" not in request.POST:
            return response
        if _is_outsider(request, obj) and self.has_view_or_change_permission(request, obj):
            # The creator's list of rooms does not show the room: its admin page explains that.
            return HttpResponseRedirect(reverse("admin:chat_room_change", args=[obj.pk]))
        return response

    @admin.display(description=_("members"), ordering="member_count")
    def members(self, room: Any) -> str:
        return link_to_list(Membership, room.member_count, room__id__exact=room.pk, member="yes")

    @admin.display(description=_("banned"), ordering="banned_count")
    def banned(self, room: Any) -> str:
        return link_to_list(Membership, room.banned_count, room__id__exact=room.pk, banned="yes")

    @admin.display(description=_("messages"), ordering="last_seq")
    def messages(self, room: Room) -> str:
        # Deleted messages keep their seq, so the last seq is the count.
        return link_to_list(Message, room.last_seq, room__id__exact=room.pk)

    # Saving

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        if change:
            services.change_room(room_id=obj.pk, **{name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.pk = services.create_room(**form.cleaned_data).pk
        if "title" in form.changed_data and (alike := access.look_alike_rooms(obj)):
            named = ", ".join(f"{room.title} ({room.slug})" for room in alike[:5])
            self.message_user(
                request,
                _("Other rooms have the same title, or one that looks the same: %(rooms)s.") % {"rooms": named},
                WARNING,
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        forms = {id(form.instance): form for form in formset.forms}
        for deleted in formset.deleted_objects:
            remove_membership(self, request, deleted, forms[id(deleted)].seen_until)
        for membership in [*formset.new_objects, *(changed for changed, names in formset.changed_objects)]:
            save_membership(self, request, forms[id(membership)])

    # Deleting

    def delete_model(self, request: HttpRequest, obj: Room) -> None:
        with suppress(Room.DoesNotExist):
            deletion.delete_room(room_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # Counts instead of a list of all messages. The permission to delete a room covers its content.
        rooms = list(objs)
        counts = {
            Room._meta.verbose_name_plural: len(rooms),
            Membership._meta.verbose_name_plural: Membership.objects.filter(room__in=rooms).count(),
            Message._meta.verbose_name_plural: Message.objects.filter(room__in=rooms).count(),
        }
        return [f"{room.title} ({room.slug})" for room in rooms], counts, set(), []

    # Actions

    @admin.action(description=_("Archive: read only"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, _("archived"), is_archived=True)

    @admin.action(description=_("Unarchive: members can write again"), permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, _("unarchived"), is_archived=False)

    @admin.action(description=_("Make private: members only"), permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, _("made private"), is_private=True)

    @admin.action(description=_("Make public: all signed-in users"), permissions=["change"])
    def make_public(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self._change_each(request, queryset, _("made public"), is_private=False)

    def _change_each(
        self, request: HttpRequest, rooms: QuerySet[Room], done: str | Promise, **changes: bool
    ) -> HttpResponse | None:
        return self.for_each(request, rooms, lambda room: services.change_room(room_id=room.pk, **changes), done=done)


def _is_outsider(request: HttpRequest, room: Room) -> bool:
    mine = access.membership_of(room.pk, users.id_of(request.user)) if room.is_private else None
    return room.is_private and (mine is None or not mine.is_member)


def _count(memberships: QuerySet[Membership]) -> Coalesce:
    """Count memberships of the outer query's room, by a subquery: two joins would multiply each other."""
    counts = memberships.values("room").annotate(n=Count("pk"))
    return Coalesce(Subquery(counts.values("n"), output_field=IntegerField()), 0)
