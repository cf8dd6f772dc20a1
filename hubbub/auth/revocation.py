"""Revocation: close sockets and evict members of this process that are not allowed any more.

A published hint (`publish_users_changed`, `publish_access_changed`) causes a re-check against the database. Hints can
be lost, and bulk updates send none: a sweep re-checks everything every half minute.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Iterable, Mapping, Set
from typing import Any, Generic, TypeVar

from django.utils import timezone

from hubbub import conf, threads
from hubbub.auth.identity import Identity, renew
from hubbub.auth.revocable import Group, Member, Recovery, Socket
from hubbub.process.pacing import slices
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import CloseCode, Person, Refused, UserRenamed, encode
from hubbub.publish.group_names import shown

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
BATCH_SOCKETS = 500  # Sockets per job: other jobs run in the reader threads between batches.

K = TypeVar("K", bound=Hashable)


class Revalidator(Generic[K]):
    """Runs requested re-checks at once, retries failed ones, and re-checks everything at each sweep.

    Args:
        check: re-checks the given keys, or all for None.
    """

    def __init__(self, check: Callable[[set[K] | None], Awaitable[None]]) -> None:
        self._check = check
        self._due: set[K] = set()
        self._are_all_due = False
        self._requested = asyncio.Event()
        # Number of requests: a caller compares it before and after to see whether there were any.
        self.requests = 0

    def request(self, keys: Iterable[K] | None) -> None:
        """Request a re-check of these keys, or of all for None."""
        if keys is None:
            self._are_all_due = True
        else:
            self._due |= set(keys)
        self.requests += 1
        self._requested.set()

    async def run(self) -> None:
        """Run until cancelled. Not a `Periodic`: a sweep is due by the last sweep, not by the last round."""
        failing = False
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + conf.settings().revalidate_seconds
        while True:
            try:
                async with asyncio.timeout_at(sweep_at):
                    await self._requested.wait()
            except TimeoutError:
                pass
            # Not only on a timeout: frequent requests must not delay the sweep.
            if loop.time() >= sweep_at:
                self._are_all_due = True
            if self._are_all_due:
                sweep_at = loop.time() + conf.settings().revalidate_seconds
            self._requested.clear()
            due, self._due = (None if self._are_all_due else self._due), set()
            self._are_all_due = False
            try:
                await self._check(due)
                failing = False
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                # Refused: the threads have logged that the database is away.
                if not failing and not isinstance(error, Refused):
                    logger.warning("authorization re-check failed: %r", error)
                failing = True
                await asyncio.sleep(RETRY_SECONDS)
                self.request(due)


class SocketRevoker:
    """Closes admitted sockets when their session, token or permission ends.

    Args:
        on_rename: called with the id and the new name of a user with sockets here.
    """

    def __init__(self, on_rename: Callable[[str, str], None] = lambda user_id, name: None) -> None:
        self._by_user: dict[str, list[Socket]] = {}
        self._on_rename = on_rename
        self.recheck: Revalidator[str] = Revalidator(self._check)

    def add(self, socket: Socket, requests_before: int) -> None:
        """Add an admitted socket. `requests_before`: `recheck.requests` before its session or token was read."""
        self._by_user.setdefault(socket.identity.user_id, []).append(socket)
        if self.recheck.requests != requests_before:
            # A re-check meanwhile may have been for this user and missed this socket.
            self.recheck.request([socket.identity.user_id])
        self._schedule_expiry(socket)

    def remove(self, socket: Socket) -> None:
        """Remove the socket, if it was added."""
        user_id = socket.identity.user_id
        sockets = self._by_user.get(user_id, [])
        if socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._by_user[user_id]

    def groups_of(self, user_id: str) -> set[str]:
        """The groups that the user's sockets in this process are in."""
        return {group for socket in self._by_user.get(user_id, ()) for group in socket.groups}

    async def _check(self, user_ids: set[str] | None) -> None:
        sockets = [
            socket
            for user_id in ([*self._by_user] if user_ids is None else user_ids)
            for socket in self._by_user.get(user_id, [])
        ]
        for batch in slices(sockets, BATCH_SOCKETS):
            await self._check_batch(batch)

    async def _check_batch(self, sockets: Collection[Socket]) -> None:
        by_permission: dict[str | None, list[Socket]] = {}
        for socket in sockets:
            by_permission.setdefault(socket.permission, []).append(socket)
        for permission, batch in by_permission.items():
            # Sockets of one session share an identity.
            renewed = await threads.read(renew, {socket.identity for socket in batch}, permission)
            for socket in batch:
                self._apply(socket, renewed.get(socket.identity, socket.identity))

    def _apply(self, socket: Socket, now: Identity | None) -> None:
        if socket.outbox.is_closing:
            return
        if now is not None and not now.covers(socket.identity):
            now = None  # Close it: its groups may need the lost scope. It may reconnect with fewer.
        if now is not None and now.permitted and now.has_any_scope(socket.endpoint_scopes):
            before, socket.identity = socket.identity, now
            if now.name != before.name:
                self._on_rename(now.user_id, now.name)
                socket.outbox.put(encode(UserRenamed(user=Person(now.user_id, now.name))))
            self._schedule_expiry(socket)
            return
        code, reason = (CloseCode.SESSION_ENDED, "Session ended") if now is None else (CloseCode.FORBIDDEN, "Forbidden")
        socket.outbox.close(code, reason)
        log_event(
            Kind.SOCKET_ENDED,
            address=address_of(socket.scope),
            user=socket.identity.user_id,
            connection=socket.connection,
            detail=reason,
        )

    def _schedule_expiry(self, socket: Socket) -> None:
        """Schedule a re-check if the credential expires before the next sweep; later expiries need no timer."""
        expires_at = socket.identity.expires_at
        if expires_at is not None:
            seconds = (expires_at - timezone.now()).total_seconds()
            if seconds < conf.settings().revalidate_seconds * 1.5:
                loop = asyncio.get_running_loop()
                loop.call_later(max(0.0, seconds) + 0.05, self.recheck.request, [socket.identity.user_id])


class MemberRevoker:
    """Evicts members from groups that they may not read any more, by the `find_revoked` of each group's recovery."""

    def __init__(self, groups: Callable[[], Mapping[str, Group]], groups_of: Callable[[str], Set[str]]) -> None:
        self._groups = groups
        self._groups_of = groups_of
        # By group: `StreamPosition.access` at the last re-check.
        self._versions: dict[str, int] = {}
        self.recheck: Revalidator[str] = Revalidator(self._check)
        self.recheck_users: Revalidator[str] = Revalidator(self._check_users)

    def users_changed(self, user_ids: Collection[str] | None) -> None:
        """Re-check these users, or all for None: a lost permission may end a membership."""
        if user_ids is None:
            self.recheck.request(None)
        else:
            self.recheck_users.request(user_ids)

    def note_version(self, name: str, version: int) -> None:
        """Re-check the group if its access version has changed."""
        if self._versions.get(name) != version:
            self._versions[name] = version
            self.recheck.request([name])

    async def _check(self, names: set[str] | None) -> None:
        groups = self._groups()
        if names is None:
            self._versions = {name: version for name, version in self._versions.items() if name in groups}
        await self._evict_revoked(
            {name: groups[name].user_ids for name in (groups if names is None else names & groups.keys())}
        )

    async def _check_users(self, user_ids: set[str] | None) -> None:
        members: dict[str, set[str]] = {}
        for user_id in user_ids or ():  # None, a sweep: `recheck` sweeps all groups.
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
        for recovery, users in by_recovery.items():
            assert recovery.find_revoked is not None
            for name, last_frames in (await recovery.find_revoked(users)).items():
                for frame in set(last_frames.values()):
                    groups[name].close(frame, {user_id for user_id, own in last_frames.items() if own == frame})


class Revocation:
    """The revokers of one event loop; the hub's `AccessWatcher`.

    Args:
        groups: returns the groups with members in this process, by name.
        on_rename: called with the id and the new name of a user with sockets here.
    """

    def __init__(self, groups: Callable[[], Mapping[str, Group]], on_rename: Callable[[str, str], None]) -> None:
        self.sockets = SocketRevoker(on_rename)
        self.members = MemberRevoker(groups, self.sockets.groups_of)
        # Counts changes of users: names that were read before one may be out of date.
        self.changes_of_users = 0

    def loops(self) -> Collection[Coroutine[Any, Any, None]]:
        return [
            revalidator.run()
            for revalidator in (self.sockets.recheck, self.members.recheck, self.members.recheck_users)
        ]

    def users_changed(self, user_ids: list[str] | None) -> None:
        self.changes_of_users += 1
        self.sockets.recheck.request(user_ids)
        self.members.users_changed(user_ids)

    def access_changed(self, group: str) -> None:
        self.members.recheck.request([group])

    def access_version(self, group: str, version: int) -> None:
        self.members.note_version(group, version)

    def check_all(self) -> None:
        self.sockets.recheck.request(None)
        self.members.recheck.request(None)

    def evicted(self, group: str, member: Member) -> None:
        """Tell the member's socket, and log it unless that is closing."""
        if member.socket is None:
            return
        member.socket.evicted(group)
        if not member.outbox.is_closing:
            log_event(
                Kind.EVICTED,
                address=address_of(member.socket.scope),
                user=member.user_id,
                connection=member.socket.connection,
                detail=shown(group),
            )
