"""The memberships of one socket in groups: live ones, and pending ones."""

from collections.abc import Iterator

from hubbub.auth.identity import Identity
from hubbub.delivery.feed import MakeFeed
from hubbub.delivery.member import Member, MemberSocket
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.recovery import Recovery
from hubbub.limits.quotas import quotas
from hubbub.presence.topic_presence import Announce
from hubbub.protocol import Card, Presence
from hubbub.runtime import runtime


class Memberships:
    """All memberships of one socket; iterates over the names of their groups."""

    __slots__ = ("_live", "_outbox", "_pending", "_socket")

    def __init__(self, outbox: Outbox, socket: MemberSocket | None = None) -> None:
        self._outbox = outbox
        self._socket = socket
        self._live: dict[str, Member] = {}
        self._pending: dict[str, Member] = {}

    def __iter__(self) -> Iterator[str]:
        return iter({**self._live, **self._pending})

    def check_number(self, group: str) -> None:
        """Raises Refused when the socket is in too many groups, including this one."""
        # Groups that it was evicted from do not count.
        self._live = {name: member for name, member in self._live.items() if not member.is_evicted}
        quotas().check_groups({*self, group})

    async def join(
        self,
        group: str,
        user: Identity,
        recovery: Recovery | None,
        announce: Announce | None,
        make_feed: MakeFeed | None = None,
    ) -> None:
        """See `Consumer.join`."""
        self.abandon(group)
        self._pending[group] = await runtime().hub.join(
            group, self._outbox, recovery, user.user_id, user.person.card, announce, self._socket, make_feed
        )

    def is_live(self, group: str) -> bool:
        """Whether the socket is a live member of the group."""
        member = self._live.get(group)
        return member is not None and not member.is_evicted

    def pending(self, group: str) -> Member:
        """The pending member in the group."""
        return self._pending[group]

    def go_live(self, group: str, position: int | None, epoch: str, card: Card) -> None:
        """Replace a live membership in the group by the pending one. See `Consumer.go_live`."""
        if (before := self._live.pop(group, None)) is not None:
            runtime().hub.leave(group, before)
        member = self._live[group] = self._pending.pop(group)
        member.user_card = card  # It may have changed since the join.
        runtime().hub.go_live(group, member, position, epoch)

    def presence(self, group: str, max_bytes: int | None = None) -> Presence | None:
        """See `Hub.presence`."""
        return runtime().hub.presence(group, self._pending[group], max_bytes)

    def presence_bytes(self, group: str) -> int:
        """See `Hub.presence_bytes`."""
        return runtime().hub.presence_bytes(group, self._pending[group])

    def count_present(self, group: str) -> int:
        """The users present in the group of a live member, as the members know them; 0: not known."""
        people = runtime().hub.people(group)
        return 0 if people is None else len(people.announced or ())

    def abandon(self, group: str) -> None:
        """Cancel a `join`; an earlier live membership stays."""
        if (member := self._pending.pop(group, None)) is not None:
            runtime().hub.leave(group, member)

    def leave(self, group: str) -> None:
        """End the live and the pending membership in the group."""
        self.abandon(group)
        if (member := self._live.pop(group, None)) is not None:
            runtime().hub.leave(group, member)

    def leave_all(self) -> None:
        """End all memberships."""
        for group in [*self]:
            self.leave(group)
