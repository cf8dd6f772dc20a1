"""The engine's settings: the keys of the dictionary HUBBUB."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings as django_settings
from msgspec import Meta

from hubbub.conf.declaring import Tunables, bounds, key
from hubbub.conf.values import OWN_PROGRAM, SCOPE, is_proxy, is_url

# No underscore, dot or colon: these separate the prefix from the rest of a name.
PREFIX_PATTERN = r"^[A-Za-z0-9-]{0,40}\Z"


class Hubbub(Tunables, frozen=True, kw_only=True):
    """The engine's settings. Times in seconds, sizes in bytes, unless the name has another unit."""

    auth_seconds: Annotated[
        float, bounds(0.1, 60, "A socket without a valid session sends its token within this time.")
    ] = 5.0
    heartbeat_seconds: Annotated[
        float, bounds(1, 300, "A client that has received nothing for this long sends a ping command.")
    ] = 20.0
    ping_seconds: Annotated[
        int, bounds(1, 300, "A socket that has sent nothing for this long gets a WebSocket ping.")
    ] = 20
    ping_timeout_seconds: Annotated[
        int, bounds(1, 300, "A socket without a pong within this time is cut; at most PING_SECONDS.")
    ] = 15
    frame_bytes: Annotated[
        int,
        bounds(1024, 1 << 20, "Largest frame from a client; fits the longest message with all characters escaped."),
    ] = 64 * 1024
    sent_frame_bytes: Annotated[
        int,
        bounds(
            64 * 1024,
            1 << 22,
            "Largest frame to a client: arrives within 20 s over 5 kB/s, before a page sends a ping.",
        ),
    ] = 96 * 1024
    token_failures: Annotated[
        int, bounds(1, 10_000, "Burst of wrong access tokens from one address or for one token.")
    ] = 10
    token_failures_per_minute: Annotated[float, bounds(0.1, 100_000, "Sustained rate of wrong access tokens.")] = 10.0
    request_bytes: Annotated[
        int,
        bounds(
            64 * 1024,
            1 << 30,
            "Largest body of an HTTP request, kept in memory; as Django's DATA_UPLOAD_MAX_MEMORY_SIZE.",
        ),
    ] = 2_621_440
    request_seconds: Annotated[
        float, bounds(1, 600, "Time for an HTTP request to arrive, including idle time before it.")
    ] = 30.0
    header_bytes: Annotated[
        int,
        bounds(4096, 64 * 1024, "Largest head of an HTTP request; a longer first line gets 414, longer headers 431."),
    ] = 16 * 1024
    max_requests_in_flight: Annotated[
        int, bounds(1, 1024, "HTTP requests that one process serves at once; each takes a thread.")
    ] = 32
    max_requests_queued: Annotated[int, bounds(0, 100_000, "HTTP requests that wait to be served; more get 503.")] = 256
    request_wait_seconds: Annotated[
        float, bounds(0.1, 60, "An HTTP request that waits longer to be served gets 503.")
    ] = 5.0
    bodies_bytes: Annotated[
        int, bounds(1 << 20, 1 << 34, "Request bodies in the memory of one process; more get 503.")
    ] = 1 << 26
    answer_bytes: Annotated[
        int,
        bounds(
            64 * 1024, 1 << 26, "Unsent bytes of one HTTP connection; with more, its view or its next request waits."
        ),
    ] = 512 * 1024
    answers_bytes: Annotated[
        int,
        bounds(1 << 20, 1 << 34, "Unsent bytes of all HTTP connections of a process; with more, the slowest are cut."),
    ] = 1 << 26
    slow_answers: Annotated[
        int, bounds(1, 10_000, "Views of one process that may wait for their clients; past that the slowest is cut.")
    ] = 64
    answer_seconds: Annotated[
        float, bounds(1, 600, "A client that has read nothing of an HTTP answer for this long is cut.")
    ] = 30.0
    max_connections: Annotated[
        int,
        bounds(
            1, 1_000_000, "HTTP connections of one process, some 15 KB each; past that the longest idle are closed."
        ),
    ] = 4_000
    max_connections_per_address: Annotated[
        int, bounds(1, 1_000_000, "Connections from one address or IPv6 /64; past that those idle for 5 s are closed.")
    ] = 100
    outbox_bytes: Annotated[
        int, bounds(64 * 1024, 1 << 26, "Unsent bytes of one socket; a slower reader is closed with 4101.")
    ] = 1 << 20
    backlog_bytes: Annotated[
        int,
        bounds(
            1 << 20, 1 << 36, "Unsent bytes of all sockets of a process; with more, the slowest are closed with 4101."
        ),
    ] = 256 << 20
    max_commands_in_flight: Annotated[
        int, bounds(1, 1024, "Unanswered commands of one socket; with more, its frames are not read.")
    ] = 32
    bad_frames: Annotated[
        int, bounds(1, 10_000, "Malformed frames within ten seconds that close a socket with 4008.")
    ] = 20
    posts_per_second: Annotated[
        float, bounds(0.1, 1_000_000, "Sustained rate of a user's posts, edits and deletions, over all processes.")
    ] = 10.0
    posts_burst: Annotated[
        int, bounds(1, 1_000_000, "Burst of posts, edits and deletions, such as messages written offline.")
    ] = 30
    commands_per_second: Annotated[
        float, bounds(1, 1_000_000, "Sustained rate of a user's commands, pings included, over all processes.")
    ] = 50.0
    commands_burst: Annotated[
        int, bounds(1, 1_000_000, "Burst of commands, such as the joins of a page that reconnects.")
    ] = 200
    refused_commands: Annotated[
        int,
        bounds(1, 1_000_000, "Commands refused as `rate_limited` within ten seconds; more close the socket with 4102."),
    ] = 200
    partial_frames_per_second: Annotated[
        float, bounds(1, 1_000_000, "Sustained rate of one socket's WebSocket pings, pongs and fragments.")
    ] = 50.0
    partial_frames_burst: Annotated[int, bounds(1, 1_000_000, "Burst of these; more close the socket with 4102.")] = 200
    max_sockets: Annotated[
        int, bounds(1, 1_000_000, "Sockets of one process, some 30 KB each; more get 503 and Retry-After.")
    ] = 10_000
    max_sockets_per_user: Annotated[
        int,
        bounds(1, 1_000_000, "Sockets of a user, over all processes: tabs and programs; one more is closed with 4009."),
    ] = 50
    max_unauthenticated: Annotated[
        int, bounds(1, 1_000_000, "Sockets of one process without a user yet; more get 503.")
    ] = 1_000
    max_unauthenticated_per_address: Annotated[
        int,
        bounds(1, 1_000_000, "The same from one address or IPv6 /64; loopback counts only behind a trusted proxy."),
    ] = 50
    max_visitors: Annotated[
        int, bounds(1, 1_000_000, "Sockets of anonymous visitors of one process; more get 503.")
    ] = 5_000
    max_visitors_per_address: Annotated[
        int,
        bounds(1, 1_000_000, "The same from one address or IPv6 /64; loopback counts only behind a trusted proxy."),
    ] = 50
    max_groups_per_socket: Annotated[
        int,
        bounds(1, 100_000, "Topics, such as chat's rooms, that a socket may join at once; one more is `too_many`."),
    ] = 100
    gap_ms: Annotated[int, bounds(0, 5_000, "Wait for a missing position before it is read from the database.")] = 50
    reconcile_seconds: Annotated[
        float,
        bounds(
            0.1, 60, "Time between two comparisons of joined rooms with the database; bounds the delay of lost frames."
        ),
    ] = 2.0
    revalidate_seconds: Annotated[
        float,
        bounds(
            0.5, 600, "Time between two checks of all sockets' rights; bounds the delay of a change without a signal."
        ),
    ] = 30.0
    pending_events: Annotated[
        int, bounds(16, 65_536, "Events queued for a socket while its join is read; with more, the join starts again.")
    ] = 256
    page_bytes: Annotated[
        int,
        bounds(
            16 * 1024, 1 << 20, "Largest answer to a join, or page of older messages; arrives within 7 s over 5 kB/s."
        ),
    ] = 32 * 1024
    resume_parts: Annotated[
        int, bounds(1, 1_000, "Parts of changes sent to a resuming client; past that it gets the latest state.")
    ] = 20
    reader_threads: Annotated[int, bounds(1, 64, "Threads per process that read the database for sockets.")] = 3
    topic_reader_threads: Annotated[
        int, bounds(2, 64, "Threads per process that read states of topics; one topic class gets at most half.")
    ] = 4
    topic_writer_threads: Annotated[
        int, bounds(1, 64, "Threads per process for commands of topics on PostgreSQL; SQLite has one writer.")
    ] = 2
    max_queued_jobs: Annotated[
        int, bounds(10, 1_000_000, "Database jobs that wait for a thread; more get `unavailable`.")
    ] = 2_000
    presence_grace_seconds: Annotated[
        float,
        bounds(0, 600, "A user stays present for this long after the last socket closed, so a reload does not show."),
    ] = 15.0
    presence_lease_seconds: Annotated[
        float, bounds(3, 600, "Users of a process that died stay present for this long.")
    ] = 15.0
    unresponsive_seconds: Annotated[
        float, bounds(1, 600, "`manage.py up` replaces a web process that has not answered for this long.")
    ] = 15.0
    release_seconds: Annotated[
        float,
        bounds(
            1, 86_400, "A release waits this long for another one and for locks; `manage.py up` ends it 15 s later."
        ),
    ] = 600.0
    layer_timeout_seconds: Annotated[float, bounds(0.1, 60, "Time limit of one call to Redis.")] = 5.0
    layer_capacity: Annotated[
        int, bounds(100, 1_000_000, "Frames that wait for Redis in one process; the others are left to the database.")
    ] = 10_000
    redis_url: Annotated[
        str,
        key(
            "redis://…, rediss://… or unix://…",
            "The Redis of the channel layer, of presence and of limits.",
            pattern="^((redis|rediss|unix)://.*)?$",
            is_secret=True,
        ),
    ] = ""
    prefix: Annotated[
        str,
        key(
            "a text of at most 40 letters, digits and hyphens",
            "The prefix of channels and keys in Redis; without it an id that is kept in the database.",
            pattern=PREFIX_PATTERN,
        ),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        key(
            "a list of addresses, networks and `unix`",
            "Proxies whose X-Forwarded-For and X-Forwarded-Proto count.",
        ),
    ] = ()
    token_scopes: Annotated[
        dict[str, str] | None,
        key("a dictionary of descriptions by scope", "Scopes of access tokens, beside those that topics declare."),
    ] = None
    programs: Annotated[
        dict[Annotated[str, Meta(min_length=1)], Annotated[tuple[str, ...], Meta(min_length=1)]],
        key(
            "a dictionary of commands by name, such as {'publisher': ['publish_metrics']}",
            "Management commands that `manage.py up` runs beside the web processes.",
        ),
    ] = {}
    first_admin: Annotated[
        bool, key("True or False", "Whether `manage.py up` makes an administrator on a site without users.")
    ] = True
    var_dir: Annotated[
        Path | None,
        key("a path", "The folder for sockets and the lock of a run; `var` in BASE_DIR where that is set."),
    ] = None
    authenticate: Annotated[
        str,
        key(
            "the dotted path of a class",
            "The sign-in of sockets; without it sessions and access tokens.",
            pattern=r"^(\w+(\.\w+)+)?$",
        ),
    ] = ""

    def problems(self, named: Callable[[str], str]) -> Iterator[str]:
        if self.ping_timeout_seconds > self.ping_seconds:
            # Otherwise the next ping would take the place of the unanswered one, and a healthy client would be cut.
            yield (
                f"{named('ping_timeout_seconds')}={self.ping_timeout_seconds} is above "
                f"{named('ping_seconds')}={self.ping_seconds}: it must be at most as long."
            )
        if not is_url(self.redis_url):
            # Not the URL: it may have a password.
            yield f"{named('redis_url')} is no URL: percent-encode the special characters of its user and password."
        for scope in self.token_scopes or {}:
            if not SCOPE.fullmatch(scope):
                yield f"{named('token_scopes')}: {scope!r} is no scope: up to 80 ASCII characters without a space."
        for name in self.programs:
            if OWN_PROGRAM.fullmatch(name):
                yield f"{named('programs')}: {name!r} is a name of `up` itself: rename the program."
        for proxy in self.trusted_proxies:
            if not is_proxy(proxy):
                yield (
                    f"{named('trusted_proxies')}: {proxy!r} is not an address, a network such as 10.0.0.0/8 "
                    "(without host bits), or unix."
                )

    @classmethod
    def site_defaults(cls) -> dict[str, Any]:
        base_dir = getattr(django_settings, "BASE_DIR", None)
        return {"var_dir": Path(base_dir) / "var"} if isinstance(base_dir, str | os.PathLike) else {}
