"""The doors on other servers, and the lines of docs/http.md."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.door_client import by_cookie
from tests.support.door_place import ROOM, Place, joined, serving_doors
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

STREAM_SECONDS = "2"
TIMED_OUT = 28  # The exit code of curl.


@pytest.fixture(scope="module", params=["daphne", "uvicorn", "hypercorn"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_doors(tmp_path_factory.mktemp(request.param), request.param) as place:
        yield place


async def test_a_stream_gets_posts_of_the_other_process_and_resumes_there(place: Place) -> None:
    page = by_cookie(place.servers[0].url, place.alice["cookie"])
    async with page.stream(ROOM) as stream:
        await joined(stream)
        posted = await place.post(1, "hello", "bob")
        assert (await stream.frame("message.posted"))["position"] == posted["position"]
        while not stream.id.endswith(f":{posted['position']}"):
            await stream.read()
        async with place.door(1, "bob").stream(ROOM) as other:
            await joined(other)
        while not stream.comments:
            await stream.read()
    await place.post(0, "meanwhile")
    async with place.page(1).stream(ROOM, resume=stream.id) as resumed:
        answer = await joined(resumed)
        assert [event["message"]["body"] for event in answer["events"]] == ["meanwhile"]


def test_the_lines_of_the_document_work_as_they_stand(place: Place) -> None:
    text = (ROOT / "docs" / "http.md").read_text()
    lines = re.findall(r"^    (curl (?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert len(lines) == 3
    url = place.servers[0].url
    for _ in range(2):  # The post is one message.
        answers = []
        for line in lines:
            command = line.replace("http://localhost:8000", url).replace("curl ", f"curl -sS -m {STREAM_SECONDS} ", 1)
            ran = subprocess.run(
                ["sh", "-c", command],
                env=os.environ | {"TOKEN": place.alice["token"]},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode in (0, TIMED_OUT), ran
            answers.append(ran.stdout)
        state, posted, events = answers
        assert '"slug":"general"' in state
        assert '"result":{"seq":' in posted
        assert events.startswith('data: {"type":"hello"')
        assert events.count('"body":"Hello"') == 1
        assert "\nid: room/general:" in events


def test_http_2_streams_and_refuses(tmp_path: Path) -> None:
    """A header `connection` would end the whole connection there."""
    with serving_doors(tmp_path, "hypercorn") as place:
        url, token = place.servers[0].url, place.alice["token"]
        curl = [
            "curl",
            "-sS",
            "--http2-prior-knowledge",
            "-H",
            f"Authorization: Bearer {token}",
            "-w",
            "\n%{http_version} %{http_code}",
        ]
        stream = subprocess.run(
            [*curl, "-N", "-m", STREAM_SECONDS, f"{url}/live/events?topic={ROOM}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert stream.returncode == TIMED_OUT, stream
        assert stream.stdout.startswith('data: {"type":"hello"')
        assert f"\nid: {ROOM}:" in stream.stdout
        for body, status in (("x" * 100_000, 413), ("{", 400), ('{"type":"ping","ref":1}', 200)):
            sent = subprocess.run(
                [*curl, "-H", "Content-Type: application/json", "-d", "@-", f"{url}/live/command"],
                input=body,
                capture_output=True,
                text=True,
                check=False,
            )
            assert sent.stdout.rpartition("\n")[2] == f"2 {status}", sent
