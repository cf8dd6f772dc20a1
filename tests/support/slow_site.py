"""The site with slow pages: an ASGI application for tests."""

import asyncio
import os
import threading
import time
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
site = get_asgi_application()

from hubbub import threads  # noqa: E402
from hubbub.asgi.services import with_services  # noqa: E402

BIG_BYTES = 16 << 20  # More than the kernel takes for a client that does not read.
STUCK_SECONDS = 60

stuck = threading.Event()


def stay() -> None:
    stuck.set()
    time.sleep(STUCK_SECONDS)


async def page(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] not in ("/big", "/stuck", "/upload"):
        await site(scope, receive, send)
        return
    size = len((await receive())["body"])
    answer = str(size).encode()
    if scope["path"] == "/big":
        answer = b"x" * BIG_BYTES
    if scope["path"] == "/stuck":
        waiting = asyncio.ensure_future(threads.read(stay))
        await asyncio.to_thread(stuck.wait)
        waiting.cancel()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


application = with_services(page, services=[])
