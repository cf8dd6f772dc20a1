"""`/healthz`, `/readyz` and `/counters`: answered before Django, for any Host header, without its threads.

The limits of HTTP requests do not apply: a process with all threads busy still answers.
"""

from typing import Any

from hubbub.asgi import readiness
from hubbub.process.addresses import FORWARDED
from hubbub.process.draining import is_draining
from hubbub.process.metrics import report
from hubbub.protocol import encode

# Complete paths. Probes are never counted or refused by request limits.
PATHS = frozenset({"/healthz", "/readyz", "/counters"})

HEADERS = [
    (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"


def is_probe(scope: Any) -> bool:
    return scope["type"] == "http" and scope["path"] in PATHS


async def answer(scope: Any, send: Any, process: str) -> None:
    """Answer a probe by `send`, of ASGI; its body is not read. `process`: the name of this process."""
    if scope["method"] not in ("GET", "HEAD"):
        await _send(scope, send, 405, TEXT, "method not allowed", [(b"allow", b"GET, HEAD")])
    elif scope["path"] == "/healthz":
        # Checks no other system. `draining`: alive, but about to end.
        await _send(scope, send, 200, TEXT, "draining" if is_draining() else "ok")
    elif scope["path"] == "/readyz":
        state = await readiness.read(process)
        status = 200 if state.state in ("ok", "degraded") else 503
        await _send(scope, send, status, JSON, encode(state))
    elif _is_private(scope):
        await _send(scope, send, 200, JSON, encode(report(process)))
    else:
        await _send(scope, send, 404, TEXT, "not found")


def _is_private(scope: Any) -> bool:
    """Whether it came from a local program on a UNIX socket: a proxy on one adds forwarding headers."""
    return not scope.get("client") and not any(name in FORWARDED for name, _ in scope["headers"])


async def _send(
    scope: Any, send: Any, status: int, kind: bytes, text: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *HEADERS, *(more or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
