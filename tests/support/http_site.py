"""The site with pages for tests of the server: a slow one, and large ones in parts or at once."""

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
site = get_asgi_application()

from hubbub.asgi.request_limits import with_bounded_requests  # noqa: E402
from hubbub.asgi.services import with_services  # noqa: E402

SLOW_SECONDS = 3.0
PART = b"x" * 65_536
PARTS = 320  # 20 MiB: more than the kernel takes for a client that does not read.

Send = Any


async def page(scope: Any, receive: Any, send: Send) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_SECONDS)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(PARTS):
            await send({"type": "http.response.body", "body": PART, "more_body": True})
        await send({"type": "http.response.body"})
    elif scope["path"] == "/big":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": PART * PARTS})
    else:
        await site(scope, receive, send)


application = with_services(with_bounded_requests(page), services=[])
