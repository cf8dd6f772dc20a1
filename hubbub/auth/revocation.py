"""Revocation: close sockets and evict members of this process that are not allowed any more.

A published hint (`publish_users_changed`, `publish_access_changed`) causes a re-check against the database. Hints can
be lost, and bulk updates send none: a sweep re-checks everything every half minute.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hubbub import conf, threads
from hubbub.auth import hook_threads, permissions
from hubbub.auth.identity import Identity, renew
from hubbub.auth.member_revocation import MemberRevoker
from hubbub.auth.revalidator import Revalidator
from hubbub.auth.revocable import Group, Member, Socket
from hubbub.process.pacing import slices
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.process.times import now
from hubbub.protocol import Card, CloseCode, PersonChanged, Refused, encode
from hubbub.publish.group_names import shown

logger = logging.getLogger(__name__)

BATCH_SOCKETS = 500  # Sockets per job: other jobs run in the reader threads between batches.


class SocketRevoker:
    """Closes admitted sockets when their session, token or permission ends.

    Args:
        on_rename: called with the id and the new card of a user with sockets here.
    """

    def __init__(self, on_rename: Callable[[str, Card], None] = lambda user_id, card: None) -> None:
        self._by_user: dict[str, list[Socket]] = {}
        self._on_rename = on_rename
        self.recheck: Revalidator[str] = Revalidator(self._check)
        # Beside it: a project's own sign-in may be slow, or fail.
        self.recheck_own: Revalidator[str] = Revalidator(self._check_own, sweeps=False)

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

    def _sockets_of(self, user_ids: set[str] | None) -> list[Socket]:
        return [
            socket
            for user_id in ([*self._by_user] if user_ids is None else user_ids)
            for socket in self._by_user.get(user_id, [])
        ]

    async def _check(self, user_ids: set[str] | None) -> None:
        sockets = self._sockets_of(user_ids)
        if own := {socket.identity.user_id for socket in sockets if _is_own(socket)}:
            self.recheck_own.request(own)
        for permission, batch in _batches([socket for socket in sockets if not _is_own(socket)]):
            # Sockets of one session share an identity.
            self._apply_all(batch, await threads.read(renew, {socket.identity for socket in batch}, permission))

    async def _check_own(self, user_ids: set[str] | None) -> None:
        """Check sockets by the project's own sign-in. Raises Refused if it fails: they are checked again."""
        sockets = [socket for socket in self._sockets_of(user_ids) if _is_own(socket)]
        try:
            for permission, batch in _batches(sockets):
                identities = {socket.identity for socket in batch}
                self._apply_all(batch, await hook_threads.run("renew", partial(renew, identities, permission)))
        except Refused:
            present = now()
            for socket in sockets:
                if socket.identity.has_expired(present):
                    self._apply(socket, None)
            raise

    def _apply_all(self, sockets: Collection[Socket], renewed: Mapping[Identity, Identity | None]) -> None:
        for socket in sockets:
            self._apply(socket, renewed.get(socket.identity, socket.identity))

    def _apply(self, socket: Socket, now: Identity | None) -> None:
        if socket.outbox.is_closing:
            return
        if now is not None and not now.covers(socket.identity):
            now = None  # Close it: its groups may need the lost scope. It may reconnect with fewer.
        if now is not None and now.permitted and now.has_any_scope(socket.endpoint_scopes):
            before, socket.identity = socket.identity, now
            if now.person != before.person:
                self._on_rename(now.user_id, now.person.card)
                socket.outbox.put(encode(PersonChanged(user=now.person)))
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
            seconds = (expires_at - now()).total_seconds()
            if seconds < conf.settings().revalidate_seconds * 1.5:
                loop = asyncio.get_running_loop()
                loop.call_later(max(0.0, seconds) + 0.05, self.recheck.request, [socket.identity.user_id])


def _is_own(socket: Socket) -> bool:
    """Whether the project's own sign-in admitted the socket."""
    return socket.identity.credential is not None


def _batches(sockets: Sequence[Socket]) -> Iterator[tuple[str | None, list[Socket]]]:
    """Batches of sockets by the permission of their endpoints."""
    by_permission: dict[str | None, list[Socket]] = {}
    for socket in sockets:
        by_permission.setdefault(socket.permission, []).append(socket)
    for permission, group in by_permission.items():
        for batch in slices(group, BATCH_SOCKETS):
            yield permission, [*batch]


class Revocation:
    """The revokers of one event loop; the hub's `AccessWatcher`.

    Args:
        groups: returns the groups with members in this process, by name.
        on_rename: called with the id and the new card of a user with sockets here.
    """

    def __init__(self, groups: Callable[[], Mapping[str, Group]], on_rename: Callable[[str, Card], None]) -> None:
        self.sockets = SocketRevoker(on_rename)
        self.members = MemberRevoker(groups, self.sockets.groups_of)
        # Counts changes of users: names that were read before one may be out of date.
        self.changes_of_users = 0

    def loops(self) -> Collection[Coroutine[Any, Any, None]]:
        return [
            revalidator.run()
            for revalidator in (
                self.sockets.recheck,
                self.sockets.recheck_own,
                self.members.recheck,
                self.members.recheck_users,
                self.members.sweep,
            )
        ]

    def users_changed(self, user_ids: list[str] | None) -> None:
        self.changes_of_users += 1
        permissions.forget(user_ids)
        self.sockets.recheck.request(user_ids)
        self.members.users_changed(user_ids)

    def access_changed(self, group: str) -> None:
        self.members.access_changed(group)

    def access_version(self, group: str, version: int) -> None:
        self.members.note_version(group, version)

    def check_all(self) -> None:
        permissions.forget(None)
        self.sockets.recheck.request(None)
        self.members.check_all()

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
