"""Who is present in one group, and what its members are told of that. Several sockets of a user are one presence.

Pure: it knows no Redis and no clock. Those are the tracker's (see presence_tracker).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from hubbub.protocol import Person, Presence, encode

# More are not named, only counted: neither on a page nor in a frame is there room for them.
MAX_NAMED = 100
MAX_NAMES_BYTES = 8 * 1024

# The users of one group in one process: name by id.
Users = dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What members of a group are told. `joined` and `left` are None while too many are present to be named.

    The first change that names people, after others that did not or after none, has all who are present as `joined`.
    """

    count: int
    joined: list[Person] | None
    left: list[Person] | None


# (group, change) -> the frame that tells of it.
Announce = Callable[[str, Change], msgspec.Struct | str]


class Keeper(Protocol):
    """Whom a group's people tell what happens to them."""

    def has_changed(self, people: "People") -> None:
        """Somebody came to be present here, or is no more."""

    def leaves(self, people: "People", user_id: str) -> None:
        """The user's last socket has gone: unless another comes soon, `remove` is to be called."""

    def stays(self, people: "People", user_id: str) -> None:
        """Nobody has to be removed."""


class People:
    """Who is in one group: the users who have sockets here, and those of other processes as last read."""

    def __init__(self, keeper: Keeper, name: str) -> None:
        self._keeper = keeper
        self.name = name
        # Users of this process, those too who have just left: see `presence_grace_seconds`.
        self.here: Users = {}
        self.sockets: dict[str, int] = {}
        self.elsewhere: dict[str, Users] = {}
        # None: nobody here is to be told.
        self.announce: Announce | None = None
        # What all members here know; None: nothing yet.
        self.told: Users | None = None
        self._presence: Presence | None = None
        self._presence_bytes = 0
        # Some members were told how many are present, and not who.
        self._lacks_names = False
        self.tell_at = self.write_at = 0.0

    def enter(self, person: Person) -> None:
        """One more socket of this user's is in the group."""
        if person.id is None:
            return
        self.sockets[person.id] = self.sockets.get(person.id, 0) + 1
        self._keeper.stays(self, person.id)
        if self.here.get(person.id) != person.name:
            self.here[person.id] = person.name
            self._keeper.has_changed(self)

    def rename(self, user_id: str, name: str) -> None:
        """Nothing happens for a user who is not here."""
        if self.here.get(user_id, name) != name:
            self.here[user_id] = name
            self._keeper.has_changed(self)

    def leave(self, user_id: str | None) -> None:
        """One socket less. With the last of a user's the grace begins."""
        if user_id is None or user_id not in self.sockets:
            return
        self.sockets[user_id] -= 1
        if self.sockets[user_id] == 0:
            del self.sockets[user_id]
            self._keeper.leaves(self, user_id)

    def evict(self, user_ids: Collection[str] | None) -> None:
        """These, or all for None, are in the group no more: nobody waits whether they come back."""
        for user_id in [*self.here] if user_ids is None else user_ids:
            self.sockets.pop(user_id, None)
            self.remove(user_id)

    def remove(self, user_id: str) -> None:
        self._keeper.stays(self, user_id)
        if self.here.pop(user_id, None) is not None:
            self._keeper.has_changed(self)

    def seen_by(self, person: Person, most_bytes: int | None = None) -> Presence | None:
        """What to tell a socket that is about to enter: who is present, itself among them. None: not known yet.

        It is what all others have been told, so what they are told next fits it as well. What would be longer than
        `most_bytes` is told without names.
        """
        if self.told is None:
            return None
        if most_bytes is not None and self.size_for(person) > most_bytes:
            self._lacks_names = True
            return Presence(len({*self.told, person.id} - {None}), [])
        if person.id is None or person.id in self.told:
            return self._all_told(self.told)
        if len(self.told) < MAX_NAMED:
            seen = _presence({**self.told, person.id: person.name})
        else:
            seen = Presence(len(self.told) + 1, [])
        self._lacks_names = self._lacks_names or not seen.users
        return seen

    def size_for(self, person: Person) -> int:
        """Bytes that `seen_by` takes in a frame, at most."""
        if self.told is None:
            return len("null")
        self._all_told(self.told)
        return self._presence_bytes + len(encode(person).encode()) + 1

    def _all_told(self, told: Users) -> Presence:
        if self._presence is None:
            self._presence = _presence(told)
            self._presence_bytes = len(encode(self._presence).encode())
        return self._presence

    def change(self, *, keep: bool) -> Change | None:
        """What has changed since the members were told; None when nothing has. `keep`: nobody is said to have left."""
        present: Users = {}
        for users in (*self.elsewhere.values(), self.here):
            present |= users
        told = self.told
        if told is not None and keep:
            present = {**told, **present}
        if present == told:
            return None
        self.told, self._presence = present, None
        if not _can_be_named(present):
            self._lacks_names = True
            # Also when the number is the same: who has just entered was told one that included him.
            return Change(len(present), None, None)
        if told is None or not _can_be_named(told):
            told, self._lacks_names = {}, True
        everybody, self._lacks_names = self._lacks_names, False
        joined = [(user_id, name) for user_id, name in present.items() if everybody or told.get(user_id) != name]
        left = [(user_id, name) for user_id, name in told.items() if user_id not in present]
        return Change(len(present), _persons(joined), _persons(left))


def _presence(users: Users) -> Presence:
    return Presence(len(users), _persons(users.items()) if _can_be_named(users) else [])


def _can_be_named(users: Users) -> bool:
    # Ids as well: some teams' are as long as names.
    return len(users) <= MAX_NAMED and sum(len(f"{one}{name}".encode()) for one, name in users.items()) <= (
        MAX_NAMES_BYTES
    )


def _persons(users: Iterable[tuple[str, str]]) -> list[Person]:
    return [Person(user_id, name) for user_id, name in users]
