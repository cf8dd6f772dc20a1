"""Whether those who are in may still be: the sockets of this process, and the members of its groups.

A change is told as a hint (see publish.py); what counts is what the database then says. A hint may be lost, and a bulk
update gives none: so a sweep asks for everybody every half minute.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Iterable, Set
from typing import Any, Generic, Protocol, TypeVar

from django.utils import timezone

from hubbub import conf, threads
from hubbub.auth.identity import Identity, renew
from hubbub.delivery.group import Group
from hubbub.delivery.member import Member
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.recovery import Recovery
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import CloseCode, Person, Refused, UserRenamed, encode

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
ASKED_TOGETHER = 500  # Sockets in one job: between two of them the reader threads turn to others.

K = TypeVar("K", bound=Hashable)


class Socket(Protocol):
    """What a consumer is here."""

    identity: Identity
    connection: str
    outbox: Outbox
    scope: dict[str, Any]

    @property
    def groups(self) -> Iterable[str]: ...

    @property
    def permission(self) -> str | None: ...

    @property
    def endpoint_scopes(self) -> Set[str]: ...


class Revalidator(Generic[K]):
    """Calls `check` with what is due, at once, and again until it succeeds; with None, for all, at each sweep."""

    def __init__(self, check: Callable[[set[K] | None], Awaitable[None]]) -> None:
        self._check = check
        self._due: set[K] = set()
        self._are_all_due = False
        self._asked = asyncio.Event()
        # How often something was asked for: who reads it before and after knows whether anything was.
        self.times = 0

    def ask(self, keys: Iterable[K] | None) -> None:
        """Have these checked, or all for None."""
        if keys is None:
            self._are_all_due = True
        else:
            self._due |= set(keys)
        self.times += 1
        self._asked.set()

    async def run(self) -> None:
        failing = False
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + conf.settings().revalidate_seconds
        while True:
            try:
                async with asyncio.timeout_at(sweep_at):
                    await self._asked.wait()
            except TimeoutError:
                pass
            # Also when so much is asked for that nobody ever waits.
            if loop.time() >= sweep_at:
                self._are_all_due = True
            if self._are_all_due:
                sweep_at = loop.time() + conf.settings().revalidate_seconds
            self._asked.clear()
            due, self._due = (None if self._are_all_due else self._due), set()
            self._are_all_due = False
            try:
                await self._check(due)
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever the database raises: who is due stays due
                # The threads have said it when the database is away.
                if not failing and not isinstance(error, Refused):
                    logger.warning("authorization re-check failed: %r", error)
                failing = True
                await asyncio.sleep(RETRY_SECONDS)
                self.ask(due)


class SocketRevoker:
    """The sockets that were let in, by user. Each lives by a session or a token, and is closed with it."""

    def __init__(self, renamed: Callable[[str, str], None] = lambda user_id, name: None) -> None:
        self._by_user: dict[str, list[Socket]] = {}
        # Called with the id and the new name of a user whose sockets are here.
        self._renamed = renamed
        self.recheck: Revalidator[str] = Revalidator(self._check)

    def add(self, socket: Socket, asked: int) -> None:
        """`asked`: what `recheck.times` was before its session or token was read."""
        self._by_user.setdefault(socket.identity.user_id, []).append(socket)
        if self.recheck.times != asked:
            # It may have been about this one, too early for it to be found here.
            self.recheck.ask([socket.identity.user_id])
        self._note_expiry(socket)

    def remove(self, socket: Socket) -> None:
        """Nothing happens for one that is not in."""
        user_id = socket.identity.user_id
        sockets = self._by_user.get(user_id, [])
        if socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._by_user[user_id]

    def groups_of(self, user_id: str) -> set[str]:
        """The groups that the user's sockets in this process are in."""
        return {group for socket in self._by_user.get(user_id, ()) for group in socket.groups}

    def log_evicted(self, group: str, member: Member) -> None:
        """The member is put out of the group, whatever for. Nothing is logged of a socket that has ended itself."""
        sockets = [] if member.user_id is None else self._by_user.get(member.user_id, [])
        for socket in sockets:
            if socket.outbox is member.outbox and not socket.outbox.is_closing:
                log_event(
                    Kind.EVICTED,
                    address=address_of(socket.scope),
                    user=member.user_id,
                    connection=socket.connection,
                    detail=group,
                )

    async def _check(self, user_ids: set[str] | None) -> None:
        sockets = [
            socket
            for user_id in ([*self._by_user] if user_ids is None else user_ids)
            for socket in self._by_user.get(user_id, [])
        ]
        for start in range(0, len(sockets), ASKED_TOGETHER):
            await self._check_some(sockets[start : start + ASKED_TOGETHER])

    async def _check_some(self, sockets: Collection[Socket]) -> None:
        by_permission: dict[str | None, list[Socket]] = {}
        for socket in sockets:
            by_permission.setdefault(socket.permission, []).append(socket)
        for permission, some in by_permission.items():
            # Several sockets of one session have one identity.
            renewed = await threads.read(renew, {socket.identity for socket in some}, permission)
            for socket in some:
                self._judge(socket, renewed.get(socket.identity, socket.identity))

    def _judge(self, socket: Socket, now: Identity | None) -> None:
        if socket.outbox.is_closing:
            return
        if now is not None and not now.covers(socket.identity):
            now = None  # It may come again, for what it still may: what it is in now may be more.
        if now is not None and now.permitted and now.has_any_scope(socket.endpoint_scopes):
            before, socket.identity = socket.identity, now
            if now.name != before.name:
                self._renamed(now.user_id, now.name)
                socket.outbox.put(encode(UserRenamed(user=Person(now.user_id, now.name))))
            self._note_expiry(socket)
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

    def _note_expiry(self, socket: Socket) -> None:
        """Of what ends before the next sweep: the others have no timer each."""
        expires_at = socket.identity.expires_at
        if expires_at is not None:
            seconds = (expires_at - timezone.now()).total_seconds()
            if seconds < conf.settings().revalidate_seconds * 1.5:
                loop = asyncio.get_running_loop()
                loop.call_later(max(0.0, seconds) + 0.05, self.recheck.ask, [socket.identity.user_id])


class MemberRevoker:
    """The members of the groups whose recovery says who may be in them."""

    def __init__(self, groups: Callable[[], dict[str, Group]], groups_of: Callable[[str], Set[str]]) -> None:
        self._groups = groups
        self._groups_of = groups_of
        # What a group's `StreamPosition.access` was when it was last asked for.
        self._versions: dict[str, int] = {}
        self.recheck: Revalidator[str] = Revalidator(self._check)
        self.recheck_users: Revalidator[str] = Revalidator(self._check_users)

    def ask_users(self, user_ids: Collection[str] | None) -> None:
        """Something about these users has changed, or about all for None: a right may have been what let them in."""
        if user_ids is None:
            self.recheck.ask(None)
        else:
            self.recheck_users.ask(user_ids)

    def note_version(self, name: str, version: int) -> None:
        if self._versions.get(name) != version:
            self._versions[name] = version
            self.recheck.ask([name])

    async def _check(self, names: set[str] | None) -> None:
        groups = self._groups()
        if names is None:
            self._versions = {name: version for name, version in self._versions.items() if name in groups}
        await self._evict(
            {name: groups[name].user_ids for name in (groups if names is None else names & groups.keys())}
        )

    async def _check_users(self, user_ids: set[str] | None) -> None:
        members: dict[str, set[str]] = {}
        for user_id in user_ids or ():  # None, a sweep: that of the groups finds them.
            for name in self._groups_of(user_id):
                members.setdefault(name, set()).add(user_id)
        await self._evict(members)

    async def _evict(self, members: dict[str, set[str]]) -> None:
        """Ask about these users in these groups, and close the groups to those who may not be in them."""
        groups = self._groups()
        by_recovery: dict[Recovery, dict[str, set[str]]] = {}
        for name in members.keys() & groups.keys():
            recovery = groups[name].recovery
            if recovery is not None and recovery.find_revoked is not None:
                by_recovery.setdefault(recovery, {})[name] = members[name]
        for recovery, users in by_recovery.items():
            assert recovery.find_revoked is not None
            for name, texts in (await recovery.find_revoked(users)).items():
                for text in set(texts.values()):
                    evicted = {user_id for user_id, one in texts.items() if one == text}
                    groups[name].close(text, evicted)


class Revocation:
    """Both of one event loop, told by the hub what may have changed: see `hubbub.delivery.hub.AccessWatcher`.

    Args:
        groups: the groups that have members in this process, by name.
        renamed: called with the id and the new name of a user whose sockets are here.
    """

    def __init__(self, groups: Callable[[], dict[str, Group]], renamed: Callable[[str, str], None]) -> None:
        self.sockets = SocketRevoker(renamed)
        self.members = MemberRevoker(groups, self.sockets.groups_of)
        # How often some user was changed, by a new name perhaps: of what was read before names may be old.
        self.changes_of_users = 0

    def loops(self) -> Collection[Coroutine[Any, Any, None]]:
        return [one.run() for one in (self.sockets.recheck, self.members.recheck, self.members.recheck_users)]

    def users_changed(self, user_ids: list[str] | None) -> None:
        self.changes_of_users += 1
        self.sockets.recheck.ask(user_ids)
        self.members.ask_users(user_ids)

    def access_changed(self, group: str) -> None:
        self.members.recheck.ask([group])

    def access_version(self, group: str, version: int) -> None:
        self.members.note_version(group, version)

    def check_all(self) -> None:
        self.sockets.recheck.ask(None)
        self.members.recheck.ask(None)

    def evicted(self, group: str, member: Member) -> None:
        self.sockets.log_evicted(group, member)
