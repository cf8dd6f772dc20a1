"""Tunables: each one declared once, with its default, its bounds and the reason for it. A leaf.

An app declares a subclass of Tunables; the settings module makes an instance of it. Must not import Django's settings
at import time: the settings module imports this.
"""

from typing import Annotated

import msgspec
from django.core.exceptions import ImproperlyConfigured


def bounds(low: float, high: float, reason: str) -> msgspec.Meta:
    """The annotation of a tunable: a number in `low`..`high`; `reason` says why it has its value."""
    return msgspec.Meta(ge=low, le=high, description=reason)


class Tunables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of `Annotated[int or float, bounds(…)]`, each with a default."""


class Hubbub(Tunables, frozen=True, kw_only=True):
    """The engine's tunables. Times in seconds, sizes in bytes, unless the name says otherwise."""

    auth_seconds: Annotated[
        float, bounds(0.1, 60, "How long a socket without a valid session may take to send its token.")
    ] = 5.0
    heartbeat_seconds: Annotated[
        float, bounds(1, 300, "A client that has heard nothing for this long sends a ping.")
    ] = 20.0
    ping_seconds: Annotated[
        int, bounds(1, 300, "A socket that has sent nothing for this long gets a ping of the protocol.")
    ] = 20
    ping_timeout_seconds: Annotated[
        int, bounds(1, 300, "A socket that has not answered the ping by then is cut; at most the time between pings.")
    ] = 15
    frame_bytes: Annotated[
        int,
        bounds(
            1024,
            1 << 20,
            "Largest frame taken from a client: the longest message, in JSON that escapes every character.",
        ),
    ] = 64 * 1024
    sent_frame_bytes: Annotated[
        int,
        bounds(
            64 * 1024,
            1 << 22,
            (
                "Largest frame sent; over a slow link of 5 kB/s it arrives within 20 s, before a page asks for a "
                "sign of life."
            ),
        ),
    ] = 96 * 1024
    token_failures: Annotated[
        int, bounds(1, 10_000, "Wrong access tokens that an address, or all who try one token, may send at once.")
    ] = 10
    token_failures_per_minute: Annotated[
        float, bounds(0.1, 100_000, "Wrong access tokens that it may send in the long run.")
    ] = 10.0
    request_bytes: Annotated[
        int,
        bounds(
            64 * 1024,
            1 << 30,
            "Largest body of an HTTP request, which is held in memory; as Django's DATA_UPLOAD_MAX_MEMORY_SIZE.",
        ),
    ] = 2_621_440
    request_seconds: Annotated[
        float, bounds(1, 600, "How long an HTTP request may take to arrive, with the pause before it.")
    ] = 30.0
    header_bytes: Annotated[
        int,
        bounds(
            4096, 64 * 1024, "Largest head of an HTTP request: its first line (past that 414) and its headers (431)."
        ),
    ] = 16 * 1024
    max_requests_in_flight: Annotated[
        int, bounds(1, 1024, "HTTP requests in work at once in one process; each takes a thread.")
    ] = 32
    max_requests_queued: Annotated[
        int, bounds(0, 100_000, "HTTP requests that may wait until those in work are done; past that 503.")
    ] = 256
    request_wait_seconds: Annotated[
        float, bounds(0.1, 60, "How long an HTTP request waits for those in work; then 503.")
    ] = 5.0
    bodies_bytes: Annotated[
        int, bounds(1 << 20, 1 << 34, "Bodies of HTTP requests that a process holds, in all; past that 503.")
    ] = 1 << 26
    answer_bytes: Annotated[
        int,
        bounds(
            64 * 1024,
            1 << 26,
            "What may wait to be sent on an HTTP connection; past that its view, or its next request, waits.",
        ),
    ] = 512 * 1024
    answers_bytes: Annotated[
        int,
        bounds(
            1 << 20,
            1 << 34,
            "What may wait to be sent of all HTTP answers of a process; past that the slowest clients are cut.",
        ),
    ] = 1 << 26
    slow_answers: Annotated[
        int, bounds(1, 10_000, "Views that may wait for their clients in one process; past that the slowest is cut.")
    ] = 64
    answer_seconds: Annotated[
        float, bounds(1, 600, "A client that has taken nothing of an HTTP answer for this long is cut.")
    ] = 30.0
    max_connections: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            (
                "HTTP connections of one process, some 15 KB each; past that those that wait longest for a request "
                "are closed."
            ),
        ),
    ] = 4_000
    max_connections_per_address: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            ("The same from one address, or 64-bit network; past that those are closed that have been idle for 5 s."),
        ),
    ] = 100
    outbox_bytes: Annotated[
        int, bounds(64 * 1024, 1 << 26, "What may wait to be sent to one socket; a slower reader is closed with 4101.")
    ] = 1 << 20
    backlog_bytes: Annotated[
        int,
        bounds(
            1 << 20,
            1 << 36,
            "What may wait to be sent to all sockets of a process; past it the slowest are closed with 4101.",
        ),
    ] = 256 << 20
    max_commands_in_flight: Annotated[
        int, bounds(1, 1024, "Commands of one socket that may wait for their answer; then its frames are not read.")
    ] = 32
    bad_frames: Annotated[
        int, bounds(1, 10_000, "Malformed frames within ten seconds that close a socket with 4008.")
    ] = 20
    posts_per_second: Annotated[
        float,
        bounds(0.1, 1_000_000, "Messages that a user may post, edit or delete in the long run, over all processes."),
    ] = 10.0
    posts_burst: Annotated[int, bounds(1, 1_000_000, "Messages at once, after a pause: what was written offline.")] = 30
    commands_per_second: Annotated[
        float, bounds(1, 1_000_000, "Commands of any kind, pings too, of a user in the long run, over all processes.")
    ] = 50.0
    commands_burst: Annotated[
        int, bounds(1, 1_000_000, "Commands at once, after a pause: a page that comes back joins its rooms.")
    ] = 200
    refused_commands: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            ("Commands refused as `rate_limited` within ten seconds; a user who does not stop is closed with 4102."),
        ),
    ] = 200
    partial_frames_per_second: Annotated[
        float,
        bounds(1, 1_000_000, "WebSocket pings, pongs and parts of messages that a socket may send in the long run."),
    ] = 50.0
    partial_frames_burst: Annotated[
        int, bounds(1, 1_000_000, "The same at once; past that it is closed with 4102 and not read any more.")
    ] = 200
    max_sockets: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            ("Sockets of one process, some 30 KB each; past that a handshake is answered with 503 and Retry-After."),
        ),
    ] = 10_000
    max_sockets_per_user: Annotated[
        int,
        bounds(1, 1_000_000, "Sockets of a user, over all processes: tabs and programs; one more is closed with 4009."),
    ] = 50
    max_unauthenticated: Annotated[
        int, bounds(1, 1_000_000, "Sockets of one process that have still to send their token; past that 503.")
    ] = 1_000
    max_unauthenticated_per_address: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            (
                "The same from one address (this machine's only where a proxy is trusted), or 64-bit network; past "
                "that 503."
            ),
        ),
    ] = 50
    max_groups_per_socket: Annotated[
        int, bounds(1, 100_000, "Groups, such as chat's rooms, that a socket is in at once; another is `forbidden`.")
    ] = 100
    gap_ms: Annotated[
        int, bounds(0, 5_000, "How long a missing position is waited for before it is read from the database.")
    ] = 50
    reconcile_seconds: Annotated[
        float,
        bounds(
            0.1,
            60,
            ("Time between two comparisons of all joined rooms with the database: what Redis lost is late by so much."),
        ),
    ] = 2.0
    revalidate_seconds: Annotated[
        float,
        bounds(
            0.5,
            600,
            ("Time between two looks whether all who are in may still be: what no signal told of is late by so much."),
        ),
    ] = 30.0
    pending_events: Annotated[
        int, bounds(16, 65_536, "Events kept for a socket while its join is read; past that the join starts again.")
    ] = 256
    reader_threads: Annotated[int, bounds(1, 64, "Threads per process that read the database for sockets.")] = 3
    max_queued_jobs: Annotated[
        int, bounds(10, 1_000_000, "Database jobs that may wait for a thread; past that a command gets `unavailable`.")
    ] = 2_000
    presence_grace_seconds: Annotated[
        float,
        bounds(
            0, 600, "How long one stays present after the last socket has gone: a reload or a restart does not show."
        ),
    ] = 15.0
    presence_lease_seconds: Annotated[
        float, bounds(3, 600, "How long the people of a process stay present that has died without a word.")
    ] = 15.0
    unresponsive_seconds: Annotated[
        float, bounds(1, 600, "A web process that has answered `manage.py up` nothing for this long is replaced.")
    ] = 15.0
    release_seconds: Annotated[
        float,
        bounds(
            1,
            86_400,
            (
                "How long a release waits for another one and for tables in use; `manage.py up` ends one 15 s "
                "after that."
            ),
        ),
    ] = 600.0
    layer_timeout_seconds: Annotated[float, bounds(0.1, 60, "Time limit of one call to Redis.")] = 5.0
    layer_capacity: Annotated[
        int,
        bounds(
            100, 1_000_000, "Frames that may wait for Redis in one process; past that they are left to the database."
        ),
    ] = 10_000

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
