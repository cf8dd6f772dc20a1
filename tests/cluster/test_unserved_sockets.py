"""A consumer in a router without `hubbub.asgi.application` refuses its sockets, and the log names the remedy once."""

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.client import opened
from tests.support.servers import Site

pytestmark = pytest.mark.cluster

APPLICATION = "tests.support.unserved_site:application"
SECONDS = 10.0


@pytest.mark.parametrize(("kind", "status"), [("hubbub", 500), ("daphne", 403), ("uvicorn", 500)])
async def test_its_sockets_are_refused_and_those_of_channels_are_not(tmp_path: Path, kind: str, status: int) -> None:
    site = Site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.settings")
    user = site.make_user("alice")
    with site.serving(kind, 1, APPLICATION) as [server]:
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with opened(server.url, "/ws/", cookie=user["cookie"]):
                    pass
            assert refused.value.response.status_code == status
        async with connect(f"{server.url.replace('http', 'ws')}/ws/shout/square/") as socket, asyncio.timeout(SECONDS):
            await socket.send(json.dumps({"text": "Hello"}))
            assert json.loads(await socket.recv()) == {"text": "Hello", "user": None}
    log = server.log.read_text()
    assert log.count("hubbub.asgi.application(http, routes)") == 1, log
    assert "Traceback" not in log
