"""The page of rooms: the list of a user's rooms, and one of them open. A switch of rooms in it loads no other page."""

from functools import partial
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from chat import access, managing, reading
from chat.excerpts import excerpt
from chat.models import Room
from chat.protocol import OwnState
from chat.topics import PersonTopic, RoomsTopic, RoomTopic
from hubbub import Topic, users
from hubbub.protocol import Refused
from hubbub.topics import first_answer

EXCERPT_CHARS = 160
MAX_TOTAL = 99  # As `sidebar.js` has it.
# In the order of the list.
SECTIONS = {"unread": _("Unread"), "favourites": _("Favourites"), "rooms": _("Rooms"), "archived": _("Archived")}


@login_required
@require_safe
def lobby(request: HttpRequest) -> HttpResponse:
    rooms = _rooms_of(request)
    last = access.last_messages(rooms)
    texts = {pk: excerpt(message.body, EXCERPT_CHARS) for pk, message in last.items()}
    latest = sorted(
        (room for room in rooms if not room.is_archived),
        key=lambda room: -last[room.pk].at.timestamp() if room.pk in last else 0,
    )
    overview = [(room, last.get(room.pk), texts.get(room.pk)) for room in latest]
    return render(request, "chat/room.html", {**_page_of(request, rooms), "overview": overview})


@login_required
@require_safe
def room(request: HttpRequest, slug: str) -> HttpResponse:
    user_id = users.id_of(request.user)
    try:
        here, role = access.enter_room(user_id, slug)
    except Refused:
        raise Http404 from None
    managing.set_left(user_id=user_id, room=here, has_left=False)
    page = {"room": here, "role": role, "manages": access.manages(user_id, role)}
    if request.method != "HEAD":  # A reader of the page enters the room.
        page["first"] = partial(_first, RoomTopic(slug), request.user)
    return render(request, "chat/room.html", {**_page_of(request, _rooms_of(request), slug), **page})


@login_required
@require_safe
def manage(request: HttpRequest, slug: str) -> HttpResponse:
    """Redirect to the room's page in the admin, whose address has its key: pages and the wire have slugs."""
    found = access.pk_of(slug) if _admin_path(request) else None
    if found is None:
        raise Http404
    return redirect("admin:chat_room_change", found)


def _rooms_of(request: HttpRequest) -> list[Room]:
    user_id = users.id_of(request.user)
    rooms = access.rooms_for(user_id).order_by("is_archived", "sort_key", "pk")
    return list(reading.with_unread(user_id, rooms))


def _page_of(request: HttpRequest, rooms: list[Room], here: str = "") -> dict[str, Any]:
    """What the page has with and without an open room. `here`: the slug of the open one."""
    own = reading.states_of(users.id_of(request.user))
    by_section: dict[str, list[tuple[Room, OwnState]]] = {name: [] for name in SECTIONS}
    for room in rooms:
        mine = own.get(room.slug, OwnState())
        by_section[_section_of(room, mine)].append((room, mine))
    elsewhere = [room for shown in by_section.values() for room, mine in shown if room.slug != here and not mine.muted]
    unread = sum(_unread_in(room) for room in elsewhere if not room.is_archived)
    return {
        "unread_total": "99+" if unread > MAX_TOTAL else unread,
        "admin_path": _admin_path(request),
        "sections": [(name, SECTIONS[name], shown) for name, shown in by_section.items() if shown],
        "user_id": users.id_of(request.user),
        "user_name": users.name_of(request.user),
        "pictures": _address_of_pictures(),
        # Read where the template shows them.
        "first_rooms": partial(_first, RoomsTopic(), request.user),
        "first_person": partial(_first, PersonTopic(users.id_of(request.user)), request.user),
    }


def _section_of(room: Room, mine: OwnState) -> str:
    """As `sidebar-state.js` has it."""
    if room.is_archived:
        return "archived"
    if _unread_in(room) and not mine.muted:
        return "unread"
    return "favourites" if mine.favourite else "rooms"


def _unread_in(room: Any) -> int:
    """0 for a room that the user never entered."""
    return room.unread or 0


def _admin_path(request: HttpRequest) -> str:
    """The address that leads to a room's page in the admin, with `slug` for the room; empty: not for this user."""
    user: Any = request.user
    if not getattr(user, "is_staff", False) or not user.has_perm(access.CHANGE_ROOM):
        return ""
    try:
        reverse("admin:chat_room_change", args=[0])
        return reverse("chat:manage", args=["slug"])
    except NoReverseMatch:
        return ""


def _first(topic: Topic, user: Any) -> Any:
    """The answer to a join; None: it is refused, and the page learns that by its own join."""
    try:
        return first_answer(topic, user)
    except Refused:
        return None


def _address_of_pictures() -> str:
    """The address of a picture with HASH in its place; empty: the site has no URL `person-picture`."""
    try:
        return reverse("person-picture", args=["HASH"])
    except NoReverseMatch:
        return ""
