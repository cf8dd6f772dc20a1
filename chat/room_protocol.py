"""The wire of rooms that people manage: arguments, results and events beside those of `protocol`. A leaf."""

from typing import Annotated, Literal

import msgspec

from hubbub.protocol import Event, Person

MEMBERS_LIMIT = 100
MEMBERS_DEFAULT = 50

# Longer than any allowed one: the model's own rule says what is wrong with it.
Text = Annotated[str, msgspec.Meta(max_length=1000)]
UserName = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
Place = Annotated[str, msgspec.Meta(max_length=600)]
MembersLimit = Annotated[int, msgspec.Meta(ge=1, le=MEMBERS_LIMIT)]
MemberRole = Literal["member", "moderator"]


class RoomMade(msgspec.Struct, frozen=True):
    """The room exists, now or before."""

    slug: str


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """`role`: `member` or `moderator`."""

    id: str
    name: str
    role: str
    picture: str = ""


class MembersPage(msgspec.Struct, frozen=True):
    """`next`: the `place` of the next page; null: this is the last one."""

    members: list[Member]
    next: str | None


class ListedRoom(msgspec.Struct, frozen=True):
    """A public room that is not on the user's list."""

    slug: str
    title: str
    description: str
    archived: bool


class RoomsPage(msgspec.Struct, frozen=True):
    """`next`: as in a page of members."""

    rooms: list[ListedRoom]
    next: str | None


class RoomTyping(Event, tag="room.typing", kw_only=True, frozen=True):
    """The user has typed within the last seconds. Told, not stored."""

    user: Person
