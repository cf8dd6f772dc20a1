"""Security events: one line in the log and one more in the counters, in the same form wherever they happen.

Never pass a token, a cookie, a password or what somebody wrote.
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

# Lines of one kind within a second. Who floods us must not fill the disk, nor hide other kinds among these.
LINES_PER_SECOND = 20
MAX_CHARS = 200  # Of one value: some are an attacker's choice.


class Kind(StrEnum):
    """What happened. SECURITY.md lists them; a test compares."""

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
    """Count the event and log `kind address=… user=… connection=… 'detail'`, with `-` for what is not known.

    Callable from any thread. Past LINES_PER_SECOND of a kind it is only counted; the next line says of how many.
    """
    with _lock:
        COUNTERS.security_events[kind] += 1
        unsaid = _lines.setdefault(kind, _Lines()).take()
    if unsaid is None:
        return
    words = [f"address={_plain(address)}", f"user={_plain(user)}", f"connection={_plain(connection)}"]
    if detail:
        words.append(repr(detail[:MAX_CHARS]))
    if unsaid:
        words.append(f"(and {unsaid} before it that were only counted)")
    logger.warning("%s %s", kind.value, " ".join(words))


def address_of(scope: Mapping[str, Any]) -> str | None:
    """The client's address of an ASGI scope; None for one that came by a UNIX socket."""
    client = scope.get("client")
    return str(client[0]) if client and client[0] else None


class _Lines:
    """How many lines of one kind were written in this second, and how many events had none since the last line."""

    __slots__ = ("_count", "_second", "_unsaid")

    def __init__(self) -> None:
        self._second = self._count = self._unsaid = 0

    def take(self) -> int | None:
        """None: no line for this event. Otherwise how many had none before it."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        if self._count == LINES_PER_SECOND:
            self._unsaid += 1
            return None
        self._count += 1
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid


_lock = threading.Lock()
_lines: dict[Kind, _Lines] = {}


def _forget_parents_lock() -> None:
    """In a child, right after the fork: a thread of the parent may have held it, and does not come along."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)


def _plain(value: str | int | None) -> str:
    """A value that cannot end the line, nor look like several."""
    if value is None or value == "":
        return "-"
    text = str(value)[:MAX_CHARS]
    return text if text.isprintable() and not set(text) & set(" ='\"\\") else repr(text)
