"""The route for what no other route takes."""

from typing import Any

from django.urls import re_path


async def _refuse_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    if "websocket.http.response" in scope.get("extensions", ()):
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})  # HTTP 403: all that the stock daphne command can say.


# The last route of a URLRouter: a socket to an unknown path is not found, without a traceback.
refuse_unknown_path = re_path(r"", _refuse_path)  # type: ignore[arg-type]
