"""The users present in one group, and the changes that its members are sent. Sockets of one user are one presence.

Pure: Redis and the clock belong to the tracker.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from hubbub.protocol import Card, Person, Presence, encode

# More users are only counted: neither a page nor a frame has room for their names.
MAX_NAMED = 100
MAX_NAMES_BYTES = 8 * 1024

# The users of one group in one process by id.
Users = dict[str, Card]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of presence. `joined` and `left` are None while too many users are present to be named.

    The first change with names, at the start or after changes without, has all present users in `joined`.
    """

    count: int
    joined: list[Person] | None
    left: list[Person] | None


# (group, change) -> the frame that announces it.
Announce = Callable[[str, Change], msgspec.Struct | str]


class Observer(Protocol):
    """Notified of changes to the people of a group."""

    def has_changed(self, people: "People") -> None:
        """The users present in this process have changed."""

    def schedule_removal(self, people: "People", user_id: str) -> None:
        """The last socket of the user left: call `remove` after the grace."""

    def cancel_removal(self, people: "People", user_id: str) -> None:
        """The user is back, or already removed."""


class People:
    """The users present in one group: those with sockets here, and those of other processes as last read."""

    def __init__(self, observer: Observer, name: str) -> None:
        self._observer = observer
        self.name = name
        # Users of this process, including those in their grace: see `presence_grace_seconds`.
        self.local_users: Users = {}
        self.sockets: dict[str, int] = {}
        self.remote_users: dict[str, Users] = {}
        # None: the group has no members here.
        self.announce: Announce | None = None
        # The users that all members here were sent; None: none yet.
        self.announced: Users | None = None
        self._presence: Presence | None = None
        self._presence_bytes = 0
        # Some members were sent the count without names.
        self._lacks_names = False
        self.announce_at = self.write_at = 0.0

    def enter(self, person: Person) -> None:
        """Add a socket of the user."""
        if person.id is None:
            return
        self.sockets[person.id] = self.sockets.get(person.id, 0) + 1
        self._observer.cancel_removal(self, person.id)
        if self.local_users.get(person.id) != person.card:
            self.local_users[person.id] = person.card
            self._observer.has_changed(self)

    def rename(self, user_id: str, card: Card) -> None:
        """Correct what others see of a user, if present here."""
        if self.local_users.get(user_id, card) != card:
            self.local_users[user_id] = card
            self._observer.has_changed(self)

    def leave(self, user_id: str | None) -> None:
        """Remove a socket of the user. After the last one the grace begins."""
        if user_id is None or user_id not in self.sockets:
            return
        self.sockets[user_id] -= 1
        if self.sockets[user_id] == 0:
            del self.sockets[user_id]
            self._observer.schedule_removal(self, user_id)

    def evict(self, user_ids: Collection[str] | None) -> None:
        """Remove these users, or all for None, at once: without a grace."""
        for user_id in [*self.local_users] if user_ids is None else user_ids:
            self.sockets.pop(user_id, None)
            self.remove(user_id)

    def remove(self, user_id: str) -> None:
        """Remove the user from those present here."""
        self._observer.cancel_removal(self, user_id)
        if self.local_users.pop(user_id, None) is not None:
            self._observer.has_changed(self)

    def presence_for(self, person: Person, max_bytes: int | None = None) -> Presence | None:
        """The presence to send to a socket that is about to enter, including its user. None: not known yet.

        It matches the state sent to the other members, so later changes apply to it.

        Args:
            person: the user of the socket.
            max_bytes: the names are left out if they would take more.
        """
        if self.announced is None:
            return None
        if max_bytes is not None and self.size_for(person) > max_bytes:
            self._lacks_names = True
            return Presence(len({*self.announced, person.id} - {None}), [])
        if person.id is None or person.id in self.announced:
            return self._presence_of(self.announced)
        if len(self.announced) < MAX_NAMED:
            presence = _presence({**self.announced, person.id: person.card})
        else:
            presence = Presence(len(self.announced) + 1, [])
        self._lacks_names = self._lacks_names or not presence.users
        return presence

    def size_for(self, person: Person) -> int:
        """An upper bound of the bytes of `presence_for` in a frame."""
        if self.announced is None:
            return len("null")
        self._presence_of(self.announced)
        return self._presence_bytes + len(encode(person).encode()) + 1

    def _presence_of(self, users: Users) -> Presence:
        if self._presence is None:
            self._presence = _presence(users)
            self._presence_bytes = len(encode(self._presence).encode())
        return self._presence

    def change(self, *, keep: bool) -> Change | None:
        """The change since the last call; None: no change. `keep`: announce nobody as left."""
        present: Users = {}
        for users in (*self.remote_users.values(), self.local_users):
            present |= users
        before = self.announced
        if before is not None and keep:
            present = {**before, **present}
        present = _fitting(present)
        if present == before:
            return None
        self.announced, self._presence = present, None
        if not _can_be_named(present):
            self._lacks_names = True
            # Also with the same count: a member that just entered was sent a count that included its user.
            return Change(len(present), None, None)
        if before is None or not _can_be_named(before):
            before, self._lacks_names = {}, True
        name_all, self._lacks_names = self._lacks_names, False
        joined = [(user_id, card) for user_id, card in present.items() if name_all or before.get(user_id) != card]
        left = [(user_id, card) for user_id, card in before.items() if user_id not in present]
        return Change(len(present), _persons(joined), _persons(left))


def _presence(users: Users) -> Presence:
    return Presence(len(users), _persons(users.items()) if _can_be_named(users) else [])


def _can_be_named(users: Users) -> bool:
    # Ids count too: some user models have ids as long as names.
    return len(users) <= MAX_NAMED and _size(users, of=1) <= MAX_NAMES_BYTES


def _fitting(users: Users) -> Users:
    """The users; without their status lines if these would take the space of the names."""
    if len(users) > MAX_NAMED or _size(users, of=3) <= MAX_NAMES_BYTES:
        return users
    return {user_id: Person(user_id, *_parts(card)[:2]).card for user_id, card in users.items()}


def _size(users: Users, of: int) -> int:
    """The bytes of the ids and of the first parts of each card."""
    return sum(len("".join((user_id, *_parts(card)[:of])).encode()) for user_id, card in users.items())


def _parts(card: Card) -> tuple[str, ...]:
    return (card,) if isinstance(card, str) else card


def _persons(users: Iterable[tuple[str, Card]]) -> list[Person]:
    return [Person.of(user_id, card) for user_id, card in users]
