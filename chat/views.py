"""Pages of the chat: the lobby, and a room with its latest messages. What follows arrives over the socket."""

from functools import partial
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from chat import access, managing, reading
from chat.excerpts import excerpt
from chat.models import Membership
from chat.topics import PersonTopic, RoomsTopic, RoomTopic
from hubbub import Topic, users
from hubbub.protocol import Refused
from hubbub.topics import first_answer

EXCERPT_CHARS = 160


@login_required
@require_safe
def lobby(request: HttpRequest) -> HttpResponse:
    rooms = list(access.rooms_for(users.id_of(request.user)).order_by("is_archived", "sort_key", "pk"))
    last = access.last_messages(rooms)
    texts = {pk: excerpt(message.body, EXCERPT_CHARS) for pk, message in last.items()}
    rows = [(room, last.get(room.pk), texts.get(room.pk)) for room in rooms]
    return render(request, "chat/lobby.html", {"rows": rows})


@login_required
@require_safe
def room(request: HttpRequest, slug: str) -> HttpResponse:
    user_id = users.id_of(request.user)
    try:
        here, role = access.enter_room(user_id, slug)
    except Refused:
        raise Http404 from None
    managing.set_left(user_id=user_id, room=here, has_left=False)
    rooms = reading.with_unread(user_id, access.rooms_for(user_id).order_by("is_archived", "sort_key", "pk"))
    me = {"user_id": user_id, "user_name": users.name_of(request.user), "pictures": _address_of_pictures()}
    manages = role == Membership.Role.MODERATOR or users.has_perm(request.user, access.CHANGE_ROOM)
    first: dict[str, Any] = {
        # Read where the template shows them. Not for HEAD: a reader of the page enters the room.
        "first": partial(_first, RoomTopic(slug), request.user),
        "first_rooms": partial(_first, RoomsTopic(), request.user),
        "first_person": partial(_first, PersonTopic(user_id), request.user),
    }
    if request.method == "HEAD":
        first = {}
    shown = {"room": here, "role": role, "rooms": rooms, "manages": manages, **me, **first}
    return render(request, "chat/room.html", shown)


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
