"""Doors: the topics of a site by HTTP and server-sent events, for clients without WebSockets.

They stand beside Django, whose views would hold a thread and a database connection to the end of a stream.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

import hubbub
from hubbub import conf
from hubbub.asgi.doors import csrf, positions
from hubbub.asgi.doors.answers import Problem, Send, send_problem
from hubbub.asgi.doors.one_command import OneCommand, StateRead
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
from hubbub.asgi.doors.stream import Stream, StreamOutbox
from hubbub.asgi.doors.virtual_socket import Receive
from hubbub.delivery.asgi_outbox import OUTBOX_EXTENSION
from hubbub.protocol import ErrorCode, to_json

logger = logging.getLogger(__name__)

Application = Callable[[Any, Any, Any], Awaitable[None]]


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
    doors = Doors(hubbub.live(*topics).as_asgi())
    methods = {f"{path}state": doors.state, f"{path}events": doors.events, f"{path}command": doors.command}

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        address = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if (answer := methods.get(address)) is None:
            await pages(scope, receive, send)
            return
        try:
            check_method(scope, "POST" if address.endswith("command") else "GET")
            await answer(scope, receive, send)
        except Problem as problem:
            await send_problem(send, problem)

    return wrapped


def check_method(scope: Any, allowed: str) -> None:
    """Raises Problem: the request has another method."""
    if scope["method"] != allowed:
        raise Problem(ErrorCode.INVALID, f"use {allowed}", status=405, headers=[(b"allow", allowed.encode())])


class Doors:
    """The three addresses. `consumer`: of all topics, as of a socket's route."""

    def __init__(self, consumer: Application) -> None:
        self._consumer = consumer

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
        """`POST command`: one command as on the wire; its answer is the body."""
        connection = query_of(scope, frozenset({"connection"})).get("connection", [])
        check_accepts(scope, "application/json")
        await check_write(scope)
        check_json(scope)
        text = await read_body(scope, receive)
        if text is None:
            return
        one = OneCommand(self._consumer, receive, send, text, connection[0] if connection else None)
        await one.run(socket_scope(scope, {}, may_read=False))

    async def events(self, scope: Any, receive: Receive, send: Send) -> None:
        """`GET events?topic=poll/7&topic=room/general`: one stream of many topics."""
        topics = [*dict.fromkeys(query_of(scope, frozenset({"topic"})).get("topic", []))]
        check_accepts(scope, "text/event-stream")
        limit = conf.settings().max_groups_per_socket
        if len(topics) > limit or not positions.fits(topics):
            raise Problem(ErrorCode.TOO_MANY, f"too many topics for one stream: at most {limit}, fewer with long names")
        try:
            resume = positions.unpack(header_of(scope, b"last-event-id"))
        except ValueError as error:
            raise Problem(ErrorCode.INVALID, f"Last-Event-ID: {error}") from None
        token = None if has_token(scope) else await csrf.new_token(scope)
        stream = Stream(self._consumer, receive, send, topics, resume, token)
        await stream.run(socket_scope(scope, {OUTBOX_EXTENSION: StreamOutbox}, may_read=True))
