"""Messages in the admin: read and moderate. Registered by admin.py."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat import services
from chat.ban_admin import MAY_BAN, SPANS, ReasonForm, ban_many, ban_page
from chat.list_filters import RoomFilter
from chat.models import Message
from hubbub import users
from hubbub.admin_services import NAMED_ROWS, OtherResult, ServiceAdmin, link_to

EXCERPT_CHARS = 80
FIELDS = ["room", "seq", "author", "body", "at", "edited_at", "deleted_at", "position", "client_id"]


class MessageStateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("present", _("Not deleted")), ("edited", _("Edited")), ("deleted", _("Deleted"))]

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
        self.title = _("time")


class MessageAdmin(ServiceAdmin):
    """Messages cannot be added or edited here: only their authors write. Deleting empties the text."""

    list_display = ["__str__", "state", "author_link", "excerpt", "in_room", "posted_at"]
    list_filter = [MessageStateFilter, ("at", PostedFilter), ("room", RoomFilter)]
    list_select_related = ["author", "room"]
    search_fields = ["body", "room__title", "room__slug"]
    search_help_text = _("Search texts and the names of authors and rooms.")
    # By the primary key: sorting by time would read the whole table.
    ordering = ["-pk"]
    show_full_result_count = False
    readonly_fields = [*FIELDS, "ban"]
    actions = ["moderate", "ban_authors"]
    action_form = ReasonForm

    class Media:
        css = {"all": ["chat/css/admin-ban.css"]}

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *users.name_searches("author")]

    def get_fields(self, request: HttpRequest, obj: Message | None = None) -> Any:
        return [*FIELDS[:3], "ban", *FIELDS[3:]] if self.has_ban_permission(request) else FIELDS

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chat.change_message")

    def has_ban_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_BAN)

    @admin.display(description=_("text"))
    def excerpt(self, message: Message) -> str:
        return Truncator(message.body).chars(EXCERPT_CHARS)

    @admin.display(description=_("author"), ordering=users.name_lookup("author"))
    def author_link(self, message: Message) -> str:
        return link_to(message.author, if_none=gettext("deleted user"))

    @admin.display(description=_("room"), ordering="room")
    def in_room(self, message: Message) -> str:
        return link_to(message.room)

    @admin.display(description=_("ban"))
    def ban(self, message: Message) -> str:
        if message.author_id is None:
            return gettext("The author's account is deleted.")
        return format_html(
            '<a href="{}">{}</a>',
            ban_page(message.room_id, message.author_id),
            _("Ban the author from this room"),
        )

    @admin.display(description=_("posted at"), ordering="at")
    def posted_at(self, message: Message) -> datetime:
        return message.at

    @admin.display(description=_("state"), ordering="deleted_at")
    def state(self, message: Message) -> str:
        if message.deleted_at is not None:
            by = message.get_deleted_by_display().lower()
            return gettext("deleted by %(by)s") % {"by": by} if message.deleted_by else gettext("deleted")
        return gettext("edited") if message.edited_at is not None else ""

    @admin.action(description=_("Delete the selected messages (a note stays)"), permissions=["moderate"])
    def moderate(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        present = queryset.filter(Q(deleted_at=None) | Q(erased_text__isnull=False))  # The author could restore these.
        keys = self.keys_of(request, present)
        if keys is None:
            return None
        if not keys:
            self.message_user(request, _("These messages are already deleted."), messages.WARNING)
            return None
        if "confirmed" in request.POST:
            return self.for_each(
                request, present, lambda message: services.moderate_message(message_id=message.pk), done=_("deleted")
            )
        context = {
            "title": _("Delete the selected messages?"),
            "selected": present.filter(pk__in=keys[:NAMED_ROWS]),
            "unnamed": max(0, len(keys) - NAMED_ROWS),
            "fields": self.fields_for(keys, request, confirmed="yes"),
        }
        return self.action_page(request, "admin/chat/message/moderate.html", context)

    @admin.action(description=_("Ban the authors from these rooms for a day"), permissions=["ban"])
    def ban_authors(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        until = timezone.now() + SPANS["day"]

        def ban(message: Message) -> OtherResult | None:
            if message.author_id is None:
                raise ValidationError(_("the author's account is deleted"))
            return ban_many(self, request, message.room_id, users.id_of_key(message.author_id), until)

        return self.for_each(request, queryset, ban, done=_("handled: author banned for a day"))
