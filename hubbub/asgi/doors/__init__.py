"""Doors: the topics of a site by HTTP and server-sent events, for clients without WebSockets.

They stand beside Django, whose views would hold a thread and a database connection to the end of a stream.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured

import hubbub
from hubbub import conf
from hubbub.asgi.doors import csrf, positions
from hubbub.asgi.doors.answers import Problem, Send, send_problem
from hubbub.asgi.doors.one_command import QUEUE_EXTENSION, HandedCommand, HandingOver, OneCommand, StateRead
from hubbub.asgi.doors.requests import (
    check_accepts,
    check_json,
    check_write,
    has_token,
    header_of,
    query_of,
    read_body,
    socket_scope,
)
from hubbub.asgi.doors.stream import Stream
from hubbub.asgi.doors.stream_topics import StreamTopics
from hubbub.asgi.doors.virtual_socket import Envelope, Receive, envelope_of
from hubbub.delivery.asgi_outbox import DIRECT_EXTENSION, OUTBOX_EXTENSION
from hubbub.protocol import ErrorCode, to_json

Application = Callable[[Any, Any, Any], Awaitable[None]]

# Of the name of a stream.
MAX_NAME_CHARS = 200


def with_doors(pages: Application, topics: Sequence[Any], path: str) -> Application:
    """Wrap `pages` so that three addresses below `path` serve the topics; all others are pages.

    Args:
        pages: the ASGI application for HTTP.
        topics: classes of topics; none: no address.
        path: such as `live/`, without a leading slash.

    Raises:
        ImproperlyConfigured, BadDeclaration: an argument cannot work.
    """
    if not isinstance(path, str) or not path.endswith("/") or path.startswith("/"):
        raise ImproperlyConfigured(f"hubbub.asgi.application: path={path!r}: write 'live/', without a leading slash.")
    if not topics:
        return pages
    doors = Doors(topics)
    # A page without TLS sends its Origin with a POST alone, and no Sec-Fetch-Site.
    addresses = {
        f"{path}state": (doors.state, ("GET",)),
        f"{path}events": (doors.events, ("GET", "POST")),
        f"{path}command": (doors.command, ("POST",)),
    }

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        address = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if (found := addresses.get(address)) is None:
            await pages(scope, receive, send)
            return
        answer, allowed = found
        try:
            if scope["method"] not in allowed:
                names = ", ".join(allowed)
                raise Problem(ErrorCode.INVALID, f"use {names}", status=405, headers=[(b"allow", names.encode())])
            await answer(scope, receive, send)
        except Problem as problem:
            await send_problem(send, problem)

    return wrapped


class Doors:
    """The three addresses of these topics."""

    def __init__(self, topics: Sequence[Any]) -> None:
        consumer = hubbub.live(*topics)
        self._consumer: Application = consumer.as_asgi()
        handing: Any = type("HandingConsumer", (HandingOver, consumer), {"topics": topics})
        self._handing: Application = handing.as_asgi()
        # Commands that only members may send, by the name of their topic.
        self._told = {topic.name: {name for name, spec in topic.commands.items() if spec.told} for topic in topics}

    async def state(self, scope: Any, receive: Receive, send: Send) -> None:
        """`GET state?topic=poll/7`: the state with its position and epoch."""
        topics = query_of(scope, frozenset({"topic"})).get("topic", [])
        check_accepts(scope, "application/json")
        has_token(scope)
        if len(topics) != 1:
            raise Problem(ErrorCode.INVALID, "name one topic: ?topic=poll/7")
        text = to_json({"type": "state", "ref": 0, "topic": topics[0]}).decode()
        read = StateRead(self._consumer, receive, send, text, header_of(scope, b"if-none-match"))
        await read.run(socket_scope(scope, {}, may_read=True))

    async def command(self, scope: Any, receive: Receive, send: Send) -> None:
        """`POST command`: one command as on the wire; its answer is the body.

        With the name of a `stream`, that stream runs joins, leaves, and commands that only members send.
        """
        names = query_of(scope, frozenset({"stream"})).get("stream", [])
        if len(names) > 1 or any(len(name) > MAX_NAME_CHARS for name in names):
            raise Problem(ErrorCode.INVALID, "name one stream: ?stream=…")
        check_accepts(scope, "application/json")
        check_json(scope)  # First: Django would read a form.
        await check_write(scope)
        text = await read_body(scope, receive)
        if text is None:
            return
        if names and self._is_for_stream(envelope_of(text)):
            handed = HandedCommand(self._handing, receive, send, text, names[0])
            await handed.run(socket_scope(scope, {QUEUE_EXTENSION: handed.make_queue}, may_read=False))
        else:
            one = OneCommand(self._consumer, receive, send, text)
            await one.run(socket_scope(scope, {}, may_read=False))

    def _is_for_stream(self, command: Envelope) -> bool:
        name = command.topic.partition("/")[0] if isinstance(command.topic, str) else ""
        return command.type in ("join", "leave", *self._told.get(name, ()))

    async def events(self, scope: Any, receive: Receive, send: Send) -> None:
        """`GET events?topic=poll/7&topic=room/general`: one stream of many topics. A POST does the same."""
        topics = [*dict.fromkeys(query_of(scope, frozenset({"topic"})).get("topic", []))]
        check_accepts(scope, "text/event-stream")
        limit = conf.settings().max_groups_per_socket
        if len(topics) > limit or not positions.fits(topics):
            raise Problem(ErrorCode.TOO_MANY, f"too many topics for one stream: at most {limit}, fewer with long names")
        try:
            resume = positions.unpack(header_of(scope, b"last-event-id"))
        except ValueError as error:
            raise Problem(ErrorCode.INVALID, f"Last-Event-ID: {error}") from None
        make_token = None if has_token(scope) else partial(csrf.new_token, scope)
        joined = StreamTopics(topics, resume)
        direct = (scope.get("extensions") or {}).get(DIRECT_EXTENSION)
        stream = Stream(self._consumer, receive, send, joined, self._is_for_stream, make_token, direct)
        await stream.run(socket_scope(scope, {OUTBOX_EXTENSION: stream.make_outbox}, may_read=True))
