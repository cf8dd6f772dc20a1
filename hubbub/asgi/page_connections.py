"""Closes the database connections of a page request with the request.

Under ASGI each request has a thread of its own, which ends with it. Django leaves a connection open with CONN_MAX_AGE,
and after an answer whose stream failed: nothing uses it again, and it stays until the garbage collector finds it.
"""

import asyncio
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.db import connections

from hubbub.asgi.services import Application


def with_closed_connections(application: Application) -> Application:
    """Wrap the pages, so that a request that fails or is cancelled leaves no connection open.

    The other requests close theirs by Django's signal, in their own thread, without one more switch of threads.
    """
    request_finished.connect(_on_request_finished, dispatch_uid="hubbub.asgi")

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        # Django enters one as well, and then shares this one: the thread is here after Django is done with it.
        async with ThreadSensitiveContext():
            try:
                await application(scope, receive, send)
            except (Exception, asyncio.CancelledError):
                await sync_to_async(_close_connections)()
                raise

    return wrapped


def _on_request_finished(sender: Any, **_: Any) -> None:
    # Django's test client has another sender: its connection belongs to the test.
    if isinstance(sender, type) and issubclass(sender, ASGIHandler):
        _close_connections()


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # Of a test that calls the application itself.
            connection.close()
