"""Security events: one log line and one count each, always in the same form.

Never pass a token, a cookie, a password or text that a user wrote.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Any

from hubbub.process.metrics import COUNTERS

logger = logging.getLogger("hubbub.security")

# Per kind: a flood must neither fill the disk nor hide events of other kinds.
LINES_PER_SECOND = 20
MAX_REMEMBERED = 10_000  # Events that are not repeated for a while; past that the oldest are forgotten.
MAX_CHARS = 200  # Per value: attackers choose some of them.


class Kind(StrEnum):
    """The kinds of events. SECURITY.md lists them; a test compares."""

    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_LIMITED = "sign_in_limited"
    SIGN_UP_LIMITED = "sign_up_limited"
    PASSWORD_FAILED = "password_failed"  # noqa: S105 - not a secret
    PASSWORD_LIMITED = "password_limited"  # noqa: S105 - not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - not a secret
    PROFILE_CHANGED = "profile_changed"
    RESET_LINK_MADE = "reset_link_made"
    RESET_LIMITED = "reset_limited"
    ORIGIN_REFUSED = "origin_refused"
    FORWARDING_IGNORED = "forwarding_ignored"
    PROTOCOL_ABUSE = "protocol_abuse"
    TOKEN_LIMITED = "token_limited"  # noqa: S105 - not a secret
    SOCKET_ENDED = "socket_ended"
    EVICTED = "evicted"
    ROOM_READ = "room_read"
    ROOM_MADE = "room_made"
    ROOM_VISIBILITY = "room_visibility"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    MEMBER_ROLE = "member_role"
    RATE_LIMITED = "rate_limited"
    FLOOD_CLOSED = "flood_closed"
    TOO_MANY_SOCKETS = "too_many_sockets"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - not a secret


def log_event(
    kind: Kind,
    *,
    address: str | None = None,
    user: str | int | None = None,
    connection: str | None = None,
    detail: str = "",
    quiet_seconds: float = 0.0,
) -> None:
    """Count the event and log `kind address=… user=… connection=… 'detail'`, with `-` for unknown values.

    Thread-safe. Past twenty lines of a kind in a second events are only counted; the next line has the number.

    Args:
        kind: of the event.
        address: of the client; None: unknown.
        user: the id of the user.
        connection: the name of the socket.
        detail: facts of the event, without secrets and without text that a user wrote. At most 200 characters are kept.
        quiet_seconds: an event that is equal in all of these within this time is neither counted nor logged.
    """
    with _lock:
        if quiet_seconds and _is_repeated((kind, address, user, connection, detail), quiet_seconds):
            return
        COUNTERS.security_events[kind] += 1
        skipped = _lines.setdefault(kind, _Lines()).take()
    if skipped is None:
        return
    words = [f"address={_quoted(address)}", f"user={_quoted(user)}", f"connection={_quoted(connection)}"]
    if detail:
        words.append(repr(detail[:MAX_CHARS]))
    if skipped:
        words.append(f"({skipped} earlier events only counted)")
    logger.warning("%s %s", kind.value, " ".join(words))


def address_of(scope: Mapping[str, Any]) -> str | None:
    """The client's address in an ASGI scope; None on a UNIX socket."""
    client = scope.get("client")
    return str(client[0]) if client and client[0] else None


class _Lines:
    """For one kind: lines in this second, and events without a line since the last one."""

    __slots__ = ("_count", "_second", "_skipped")

    def __init__(self) -> None:
        self._second = self._count = self._skipped = 0

    def take(self) -> int | None:
        """Take a line. Returns the events skipped before it, or None: no line for this event."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        if self._count == LINES_PER_SECOND:
            self._skipped += 1
            return None
        self._count += 1
        skipped, self._skipped = self._skipped, 0
        return skipped


_lock = threading.Lock()
_lines: dict[Kind, _Lines] = {}
# When events that may not be repeated were logged; the oldest are first.
_logged_at: dict[Hashable, float] = {}


def _is_repeated(event: Hashable, quiet_seconds: float) -> bool:
    """Whether the event was logged within this time; else note that it is now."""
    now = time.monotonic()
    if now - _logged_at.get(event, -math.inf) < quiet_seconds:
        return True
    _logged_at.pop(event, None)  # So that the order is by time.
    _logged_at[event] = now
    if len(_logged_at) > MAX_REMEMBERED:
        del _logged_at[next(iter(_logged_at))]
    return False


def _forget_parents_lock() -> None:
    """In a child after a fork: a thread of the parent may have held the lock, and threads are not copied."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)


def _quoted(value: str | int | None) -> str:
    """Quote a value that could break the line or look like several fields."""
    if value is None or value == "":
        return "-"
    text = str(value)[:MAX_CHARS]
    return text if text.isprintable() and not set(text) & set(" ='\"\\") else repr(text)
