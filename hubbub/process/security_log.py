"""Security events: one log line and one count each, always in the same form.

Never pass a token, a cookie, a password or text that a user wrote.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from hubbub.process.metrics import COUNTERS

logger = logging.getLogger("hubbub.security")

# Per kind: a flood must neither fill the disk nor hide events of other kinds.
LINES_PER_SECOND = 20
MAX_CHARS = 200  # Per value: attackers choose some of them.


class Kind(StrEnum):
    """The kinds of events. SECURITY.md lists them; a test compares."""

    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_LIMITED = "sign_in_limited"
    SIGN_UP_LIMITED = "sign_up_limited"
    PASSWORD_FAILED = "password_failed"  # noqa: S105 - not a secret
    PASSWORD_LIMITED = "password_limited"  # noqa: S105 - not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - not a secret
    RESET_LINK_MADE = "reset_link_made"
    RESET_LIMITED = "reset_limited"
    ORIGIN_REFUSED = "origin_refused"
    FORWARDING_IGNORED = "forwarding_ignored"
    PROTOCOL_ABUSE = "protocol_abuse"
    TOKEN_LIMITED = "token_limited"  # noqa: S105 - not a secret
    SOCKET_ENDED = "socket_ended"
    EVICTED = "evicted"
    ROOM_READ = "room_read"
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
) -> None:
    """Count the event and log `kind address=… user=… connection=… 'detail'`, with `-` for unknown values.

    Thread-safe. Past LINES_PER_SECOND of a kind events are only counted; the next line has the number.
    """
    with _lock:
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
