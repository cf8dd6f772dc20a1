"""The route for what no other route takes."""

from typing import Any

from django.urls import re_path

from realtime.outbox import send_denial


async def _refuse_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send_denial(scope, send, 404)


# The last route of a URLRouter: a socket to an unknown path is not found, without a traceback.
refuse_unknown_path = re_path(r"", _refuse_path)  # type: ignore[arg-type]
