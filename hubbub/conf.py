"""Tunables: each one declared once, with its default, its bounds and the reason for it.

An app declares a frozen dataclass of `tunable` fields; `from_env` reads it from `HUBBUB_<FIELD>` variables.
Must not import Django's settings at import time: the settings file imports this.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

ENV_PREFIX = "HUBBUB_"

T = TypeVar("T")


def tunable(default: Any, reason: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with `default`; numbers must lie in `low`..`high`; `reason` says why it has this value."""
    return field(default=default, metadata={"low": low, "high": high, "reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hubbub:
    """The engine's tunables. Times in seconds, sizes in bytes, unless the name says otherwise."""

    auth_seconds: float = tunable(
        5.0, "How long a socket without a valid session may take to send its token.", low=0.1, high=60
    )
    heartbeat_seconds: float = tunable(
        20.0, "A client that has heard nothing for this long sends a ping.", low=1, high=300
    )
    ping_seconds: int = tunable(
        20, "A socket that has sent nothing for this long gets a ping of the protocol.", low=1, high=300
    )
    ping_timeout_seconds: int = tunable(
        15, "A socket that has not answered the ping by then is cut; at most the time between pings.", low=1, high=300
    )
    frame_bytes: int = tunable(
        64 * 1024,
        "Largest frame taken from a client: the longest message, in JSON that escapes every character.",
        low=1024,
        high=1 << 20,
    )
    sent_frame_bytes: int = tunable(
        96 * 1024,
        "Largest frame sent; over a slow link of 5 kB/s it arrives within 20 s, before a page asks for a sign of life.",
        low=64 * 1024,
        high=1 << 22,
    )
    token_failures: int = tunable(
        10, "Wrong access tokens that an address, or all who try one token, may send at once.", low=1, high=10_000
    )
    token_failures_per_minute: float = tunable(
        10.0, "Wrong access tokens that it may send in the long run.", low=0.1, high=100_000
    )
    request_bytes: int = tunable(
        2_621_440,
        "Largest body of an HTTP request, which is held in memory; as Django's DATA_UPLOAD_MAX_MEMORY_SIZE.",
        low=64 * 1024,
        high=1 << 30,
    )
    request_seconds: float = tunable(
        30.0, "How long an HTTP request may take to arrive, with the pause before it.", low=1, high=600
    )
    header_bytes: int = tunable(
        16 * 1024,
        "Largest head of an HTTP request: its first line (past that 414) and its headers (431).",
        low=4096,
        high=64 * 1024,
    )
    max_requests_in_flight: int = tunable(
        32, "HTTP requests in work at once in one process; each takes a thread.", low=1, high=1024
    )
    max_requests_queued: int = tunable(
        256, "HTTP requests that may wait until those in work are done; past that 503.", low=0, high=100_000
    )
    request_wait_seconds: float = tunable(
        5.0, "How long an HTTP request waits for those in work; then 503.", low=0.1, high=60
    )
    bodies_bytes: int = tunable(
        1 << 26, "Bodies of HTTP requests that a process holds, in all; past that 503.", low=1 << 20, high=1 << 34
    )
    answer_bytes: int = tunable(
        512 * 1024,
        "What may wait to be sent on an HTTP connection; past that its view, or its next request, waits.",
        low=64 * 1024,
        high=1 << 26,
    )
    answers_bytes: int = tunable(
        1 << 26,
        "What may wait to be sent of all HTTP answers of a process; past that the slowest clients are cut.",
        low=1 << 20,
        high=1 << 34,
    )
    slow_answers: int = tunable(
        64, "Views that may wait for their clients in one process; past that the slowest is cut.", low=1, high=10_000
    )
    answer_seconds: float = tunable(
        30.0, "A client that has taken nothing of an HTTP answer for this long is cut.", low=1, high=600
    )
    max_connections: int = tunable(
        4_000,
        "HTTP connections of one process, some 15 KB each; past that those that wait longest for a request are closed.",
        low=1,
        high=1_000_000,
    )
    max_connections_per_address: int = tunable(
        100,
        "The same from one address, or 64-bit network; past that those are closed that have been idle for 5 s.",
        low=1,
        high=1_000_000,
    )
    outbox_bytes: int = tunable(
        1 << 20,
        "What may wait to be sent to one socket; a slower reader is closed with 4101.",
        low=64 * 1024,
        high=1 << 26,
    )
    backlog_bytes: int = tunable(
        256 << 20,
        "What may wait to be sent to all sockets of a process; past it the slowest are closed with 4101.",
        low=1 << 20,
        high=1 << 36,
    )
    max_commands_in_flight: int = tunable(
        32, "Commands of one socket that may wait for their answer; then its frames are not read.", low=1, high=1024
    )
    bad_frames: int = tunable(
        20, "Malformed frames within ten seconds that close a socket with 4008.", low=1, high=10_000
    )
    posts_per_second: float = tunable(
        10.0,
        "Messages that a user may post, edit or delete in the long run, over all processes.",
        low=0.1,
        high=1_000_000,
    )
    posts_burst: int = tunable(30, "Messages at once, after a pause: what was written offline.", low=1, high=1_000_000)
    commands_per_second: float = tunable(
        50.0, "Commands of any kind, pings too, of a user in the long run, over all processes.", low=1, high=1_000_000
    )
    commands_burst: int = tunable(
        200, "Commands at once, after a pause: a page that comes back joins its rooms.", low=1, high=1_000_000
    )
    refused_commands: int = tunable(
        200,
        "Commands refused as `rate_limited` within ten seconds; a user who does not stop is closed with 4102.",
        low=1,
        high=1_000_000,
    )
    partial_frames_per_second: float = tunable(
        50.0,
        "WebSocket pings, pongs and parts of messages that a socket may send in the long run.",
        low=1,
        high=1_000_000,
    )
    partial_frames_burst: int = tunable(
        200,
        "The same at once; past that it is closed with 4102 and not read any more.",
        low=1,
        high=1_000_000,
    )
    max_sockets: int = tunable(
        10_000,
        "Sockets of one process, some 30 KB each; past that a handshake is answered with 503 and Retry-After.",
        low=1,
        high=1_000_000,
    )
    max_sockets_per_user: int = tunable(
        50,
        "Sockets of a user, over all processes: tabs and programs; one more is closed with 4009.",
        low=1,
        high=1_000_000,
    )
    max_unauthenticated: int = tunable(
        1_000, "Sockets of one process that have still to send their token; past that 503.", low=1, high=1_000_000
    )
    max_unauthenticated_per_address: int = tunable(
        50,
        "The same from one address (this machine's only where a proxy is trusted), or 64-bit network; past that 503.",
        low=1,
        high=1_000_000,
    )
    max_groups_per_socket: int = tunable(
        100, "Groups, such as chat's rooms, that a socket is in at once; another is `forbidden`.", low=1, high=100_000
    )
    gap_ms: int = tunable(
        50, "How long a missing position is waited for before it is read from the database.", low=0, high=5_000
    )
    reconcile_seconds: float = tunable(
        2.0,
        "Time between two comparisons of all joined rooms with the database: what Redis lost is late by so much.",
        low=0.1,
        high=60,
    )
    revalidate_seconds: float = tunable(
        30.0,
        "Time between two looks whether all who are in may still be: what no signal told of is late by so much.",
        low=0.5,
        high=600,
    )
    pending_events: int = tunable(
        256, "Events kept for a socket while its join is read; past that the join starts again.", low=16, high=65_536
    )
    reader_threads: int = tunable(3, "Threads per process that read the database for sockets.", low=1, high=64)
    max_queued_jobs: int = tunable(
        2_000,
        "Database jobs that may wait for a thread; past that a command gets `unavailable`.",
        low=10,
        high=1_000_000,
    )
    presence_grace_seconds: float = tunable(
        15.0,
        "How long one stays present after the last socket has gone: a reload or a restart does not show.",
        low=0,
        high=600,
    )
    presence_lease_seconds: float = tunable(
        15.0, "How long the people of a process stay present that has died without a word.", low=3, high=600
    )
    unresponsive_seconds: float = tunable(
        15.0, "A web process that has answered `manage.py up` nothing for this long is replaced.", low=1, high=600
    )
    release_seconds: float = tunable(
        600.0,
        "How long a release waits for another one and for tables in use; `manage.py up` ends one 15 s after that.",
        low=1,
        high=86_400,
    )
    layer_timeout_seconds: float = tunable(5.0, "Time limit of one call to Redis.", low=0.1, high=60)
    layer_capacity: int = tunable(
        10_000,
        "Frames that may wait for Redis in one process; past that they are left to the database.",
        low=100,
        high=1_000_000,
    )

    def __post_init__(self) -> None:
        if self.ping_timeout_seconds > self.ping_seconds:
            # The server would take the next ping for the one that is not answered, and cut who is well.
            raise ImproperlyConfigured(
                f"HUBBUB_PING_TIMEOUT_SECONDS={self.ping_timeout_seconds} is more than "
                f"HUBBUB_PING_SECONDS={self.ping_seconds}."
            )


def settings() -> Hubbub:
    """The engine's tunables in force: `settings.HUBBUB`, or the defaults."""
    from django.conf import settings as django_settings

    configured: Hubbub = getattr(django_settings, "HUBBUB", None) or Hubbub()
    return configured


def from_env(cls: type[T], environ: Mapping[str, str]) -> T:
    """An instance of the tunables `cls` from `environ`. ImproperlyConfigured names the variable and what is allowed."""
    given = {}
    for one in fields(cls):  # type: ignore[arg-type]
        name = env_name(one)
        if name in environ:
            given[one.name] = _parse(one, name, environ[name])
    return cls(**given)


# Variables of earlier versions, each with the one that took its place.
RENAMED = {
    "HUBBUB_COMMANDS_IN_WORK": "HUBBUB_MAX_COMMANDS_IN_FLIGHT",
    "HUBBUB_COMPARE_SECONDS": "HUBBUB_RECONCILE_SECONDS",
    "HUBBUB_CONNECTIONS": "HUBBUB_MAX_CONNECTIONS",
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "HUBBUB_MAX_CONNECTIONS_PER_ADDRESS",
    "HUBBUB_GROUPS_PER_SOCKET": "HUBBUB_MAX_GROUPS_PER_SOCKET",
    "HUBBUB_KEPT_SAMPLES": "HUBBUB_HISTORY_SAMPLES",
    "HUBBUB_PASSWORD_TRIES": "HUBBUB_PASSWORD_ATTEMPTS",
    "HUBBUB_QUEUED_JOBS": "HUBBUB_MAX_QUEUED_JOBS",
    "HUBBUB_REQUESTS_IN_WORK": "HUBBUB_MAX_REQUESTS_IN_FLIGHT",
    "HUBBUB_REQUESTS_WAITING": "HUBBUB_MAX_REQUESTS_QUEUED",
    "HUBBUB_SIGN_IN_TRIES_PER_ACCOUNT": "HUBBUB_LOGIN_ATTEMPTS_PER_ACCOUNT",
    "HUBBUB_SIGN_IN_TRIES_PER_ACCOUNT_AND_ADDRESS": "HUBBUB_LOGIN_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS",
    "HUBBUB_SIGN_IN_TRIES_PER_ADDRESS": "HUBBUB_LOGIN_ATTEMPTS_PER_ADDRESS",
    "HUBBUB_SIGN_UP_TRIES_PER_ADDRESS": "HUBBUB_SIGN_UP_ATTEMPTS_PER_ADDRESS",
    "HUBBUB_SILENT_SECONDS": "HUBBUB_UNRESPONSIVE_SECONDS",
    "HUBBUB_SOCKETS": "HUBBUB_MAX_SOCKETS",
    "HUBBUB_SOCKETS_PER_USER": "HUBBUB_MAX_SOCKETS_PER_USER",
    "HUBBUB_SWEEP_SECONDS": "HUBBUB_REVALIDATE_SECONDS",
    "HUBBUB_TRIES_SECONDS": "HUBBUB_LOGIN_ATTEMPTS_SECONDS",
    "HUBBUB_UNAUTHENTICATED": "HUBBUB_MAX_UNAUTHENTICATED",
    "HUBBUB_UNAUTHENTICATED_PER_ADDRESS": "HUBBUB_MAX_UNAUTHENTICATED_PER_ADDRESS",
}


def check_known(environ: Mapping[str, str], known: set[str]) -> None:
    """Refuse a `HUBBUB_` variable that nothing reads: a misspelt limit must not be silently the default."""
    for name in environ:
        if name in RENAMED:
            raise ImproperlyConfigured(f"{name} is called {RENAMED[name]} now.")
        if name.startswith(ENV_PREFIX) and name not in known:
            raise ImproperlyConfigured(f"{name} is not a setting of this project. See docs/settings.md for the list.")


def env_name(one: "Field[Any]") -> str:
    return ENV_PREFIX + one.name.upper()


def env_names(*classes: type) -> set[str]:
    return {env_name(one) for cls in classes for one in fields(cls)}


def _parse(one: "Field[Any]", name: str, text: str) -> Any:
    assert one.default is not MISSING
    kind = type(one.default)
    if kind is bool:
        return parse_bool(name, text)
    if kind is str:
        return text
    try:
        value = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ImproperlyConfigured(f"{name}={text!r} is not {wanted}: {_bounds(one)} is allowed.") from None
    check_bounds(one, name, value)
    return value


def check_bounds(one: "Field[Any]", name: str, value: float) -> None:
    low, high = one.metadata["low"], one.metadata["high"]
    # `not (low <= value)` rather than `value < low`: NaN must fail too.
    if (low is not None and not low <= value) or (high is not None and not value <= high):
        raise ImproperlyConfigured(f"{name}={value} is out of range: {_bounds(one)} is allowed.")


def _bounds(one: "Field[Any]") -> str:
    return f"{one.metadata['low']} to {one.metadata['high']}"


def parse_bool(name: str, text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ImproperlyConfigured(f"{name}={text!r} is not a switch: use true or false.")
