"""Evicts members of this process from groups that they are not allowed in any more."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set

from hubbub.auth.revalidator import Revalidator
from hubbub.auth.revocable import Group, Recovery

# Verdicts on a user in a row that hints make void: else hints that come faster than checks would keep everybody in.
MAX_LEFT_OUT = 3


class MemberRevoker:
    """Evicts members from groups that they may not read any more, by the `find_revoked` of each group's recovery.

    Hints are checked at once, beside a sweep, which may take long.
    """

    def __init__(self, groups: Callable[[], Mapping[str, Group]], groups_of: Callable[[str], Set[str]]) -> None:
        self._groups = groups
        self._groups_of = groups_of
        # By group: `StreamPosition.access` at the last re-check.
        self._versions: dict[str, int] = {}
        self.recheck: Revalidator[str] = Revalidator(self._check, sweeps=False)
        self.recheck_users: Revalidator[str] = Revalidator(self._check_users, sweeps=False)
        self.sweep: Revalidator[str] = Revalidator(self._check)
        # The hints since each running check began to read: what it read may be older.
        self._running: list[Hints] = []
        # By group and user: verdicts that were left out in a row, each for a hint that came meanwhile.
        self._left_out: dict[tuple[str, str], int] = {}

    def users_changed(self, user_ids: Collection[str] | None) -> None:
        """Re-check these users, or all for None: a lost permission may end a membership."""
        for hints in self._running:
            hints.add_users(user_ids)
        if user_ids is None:
            self.sweep.request(None)
        else:
            self.recheck_users.request(user_ids)

    def access_changed(self, name: str) -> None:
        """Re-check the group."""
        for hints in self._running:
            hints.groups.add(name)
        self.recheck.request([name])

    def check_all(self) -> None:
        """Hints may have been lost."""
        self.users_changed(None)

    def note_version(self, name: str, version: int) -> None:
        """Re-check the group if its access version has changed."""
        if self._versions.get(name) != version:
            self._versions[name] = version
            self.access_changed(name)

    async def _check(self, names: set[str] | None) -> None:
        groups = self._groups()
        if names is None:
            self._versions = {name: version for name, version in self._versions.items() if name in groups}
        await self._evict_revoked(
            {name: groups[name].user_ids for name in (groups if names is None else names & groups.keys())}
        )

    async def _check_users(self, user_ids: set[str] | None) -> None:
        members: dict[str, set[str]] = {}
        for user_id in user_ids or ():
            for name in self._groups_of(user_id):
                members.setdefault(name, set()).add(user_id)
        await self._evict_revoked(members)

    async def _evict_revoked(self, members: dict[str, set[str]]) -> None:
        """Evict those of the users (by group) that the database does not allow in the group."""
        groups = self._groups()
        by_recovery: dict[Recovery, dict[str, set[str]]] = {}
        for name in members.keys() & groups.keys():
            recovery = groups[name].recovery
            if recovery is not None and recovery.find_revoked is not None:
                by_recovery.setdefault(recovery, {})[name] = members[name]
        hints = Hints()
        left_out: set[tuple[str, str]] = set()
        self._running.append(hints)
        try:
            for recovery, users in by_recovery.items():
                assert recovery.find_revoked is not None
                async for part in recovery.find_revoked(users):
                    left_out |= self._evict(part, hints)
                    hints.clear()  # The next part is read from now on.
        finally:
            self._running.remove(hints)
        for name, user_id in self._left_out.keys() - left_out:
            if name not in groups or user_id in members.get(name, ()):  # Evicted, or allowed: the row has ended.
                del self._left_out[name, user_id]

    def _evict(self, denied: Mapping[str, Mapping[str, str]], hints: "Hints") -> set[tuple[str, str]]:
        """Evict the denied users. Returns, by group and user, those left out for a hint: they are checked again."""
        groups = self._groups()
        left_out: set[tuple[str, str]] = set()
        for name, last_frames in denied.items():
            if name not in groups:
                continue
            current: dict[str, str] = {}
            for user_id, frame in last_frames.items():
                count = self._left_out.get((name, user_id), 0)
                if count < MAX_LEFT_OUT and (name in hints.groups or hints.concern(user_id)):
                    self._left_out[name, user_id] = count + 1
                    left_out.add((name, user_id))
                else:
                    current[user_id] = frame
            for frame in set(current.values()):
                groups[name].close(frame, {user_id for user_id, own in current.items() if own == frame})
        return left_out


class Hints:
    """The hints that have come since a moment."""

    __slots__ = ("_are_all_users", "_users", "groups")

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.clear()

    def clear(self) -> None:
        self.groups.clear()
        self._users: set[str] = set()
        self._are_all_users = False

    def add_users(self, user_ids: Iterable[str] | None) -> None:
        """Add users, or all for None."""
        if user_ids is None:
            self._are_all_users = True
        else:
            self._users |= {*user_ids}

    def concern(self, user_id: str) -> bool:
        """Whether one of them is about this user."""
        return self._are_all_users or user_id in self._users
