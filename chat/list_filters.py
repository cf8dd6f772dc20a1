"""Filters of admin lists by room, of which there may be thousands."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

MAX_ROOMS_LISTED = 30


class RoomFilter(admin.RelatedFieldListFilter):
    """Lists all rooms of a small site. With more rooms it lists only the chosen one: search and links find rooms."""

    def has_output(self) -> bool:
        # Django ignores the query of a filter without output: the list of one room would show the rows of all.
        return bool(self.lookup_choices or self.used_parameters)

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rooms = field.related_model._base_manager.order_by("sort_key", "pk")
        few = [(room.pk, str(room)) for room in rooms[: MAX_ROOMS_LISTED + 1]]
        if len(few) <= MAX_ROOMS_LISTED:
            return few
        chosen = [key for key in self.lookup_val or () if str(key).isdecimal()]
        return [(room.pk, str(room)) for room in rooms.filter(pk__in=chosen)]


class PrivateRoomFilter(admin.BooleanFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("private room")
