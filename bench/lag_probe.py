"""Any ASGI application, and how late its event loop is: `BENCH_APPLICATION=module:name`, `bench.lag_probe:application`.

`GET /bench/lag` answers with all delays since the last time, in milliseconds, as JSON, and begins anew.
"""

import asyncio
import importlib
import json
import os
import time
from typing import Any

PROBE_SECONDS = 0.005

_module, _, _name = os.environ["BENCH_APPLICATION"].partition(":")
_measured = getattr(importlib.import_module(_module), _name)
_delays_ms: list[float] = []
_tasks: list[asyncio.Task[None]] = []


async def application(scope: Any, receive: Any, send: Any) -> None:
    if not _tasks:
        _tasks.append(asyncio.create_task(_measure()))
    if scope.get("path") != "/bench/lag":
        await _measured(scope, receive, send)
        return
    body = json.dumps(_delays_ms).encode()
    _delays_ms.clear()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def _measure() -> None:
    while True:
        due = time.perf_counter() + PROBE_SECONDS
        await asyncio.sleep(PROBE_SECONDS)
        _delays_ms.append(max(0.0, (time.perf_counter() - due) * 1000))
