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


LINE = re.compile(r"^    (.+)$", re.MULTILINE)
# Of the section "By curl": what each line that prints something prints.
PRINTED = (
    (r'"slug":"general"',),
    (r'"messages":\[', r'"type":"ok"'),
    (r'"samples":\[',),
    (r"^304$",),
    (r'"result":{"seq":1,',),
    (r'"result":{"position":',),
    (r'"result":{"position":',),
    (r'{"type":"accepted"',),
    (r'{"type":"accepted"',),
    (r'data: {"type":"hello"', r'"topic":"room/random"', r"\nid: room/general:"),
)
POSTED = 4  # The number of the post among them.
# Curl as a person types it, but for the end of a stream; the name of a stream must have arrived.
PRELUDE = """
curl() {{ command curl -sS -m {seconds} "$@" || [ $? = {timed_out} ]; }}
"""
WAIT = "for _ in $(seq 100); do grep -q '^id: ' events && break; sleep 0.1; done\n"
MARK = "=== next ==="


def test_the_lines_of_the_document_work_as_they_stand(place: Place, tmp_path: Path) -> None:
    section = (ROOT / "docs" / "http.md").read_text().partition("## By curl\n")[2].partition("\n## ")[0]
    url = place.servers[0].url
    place.site.shell("from chat import services; services.create_room(slug='random', title='Random')")
    user = place.site.make_user("curl", permission="view_dashboard")
    lines = LINE.findall(section)
    assert len(lines) == 15
    steps = "".join(
        f"{WAIT if line.startswith('STREAM=') else ''}{line.replace('http://localhost:8000', url)}\necho {MARK!r}\n"
        for line in lines
    )
    posted = set()
    for again in (False, True):
        ran = subprocess.run(
            ["sh", "-e", "-c", PRELUDE.format(seconds=STREAM_SECONDS, timed_out=TIMED_OUT) + steps],
            cwd=tmp_path,
            env=os.environ | {"TOKEN": user["token"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, (ran.stdout, ran.stderr)
        printed = [text for part in ran.stdout.split(f"{MARK}\n") if (text := part.strip())]
        assert len(printed) == len(PRINTED), printed
        for text, patterns in zip(printed, PRINTED, strict=True):
            # The second time the message is deleted already, and cannot be edited.
            assert again or all(re.search(pattern, text) for pattern in patterns), (patterns, text)
        posted.add(printed[POSTED])
    assert len(posted) == 1  # Twice the same post: one message.
    assert (tmp_path / "header").stat().st_mode & 0o077 == 0


def test_the_script_of_the_document_posts_once_what_a_program_writes(place: Place, tmp_path: Path) -> None:
    script = (ROOT / "docs" / "http.md").read_text().partition("```sh\n")[2].partition("```")[0]
    (tmp_path / "post.sh").write_text(script.replace("http://localhost:8000", place.servers[0].url))
    (tmp_path / "header").write_text(f"Authorization: Bearer {place.alice['token']}\n")
    said = 'He said "no" \\ twice,\nthen left: 100 %\n'
    for room, code, printed in (("lounge", 0, '"type":"ok"'), ("nowhere", 22, '"code":"not_found"')):
        ran = subprocess.run(
            ["sh", "post.sh", room], cwd=tmp_path, input=said, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, printed in ran.stdout) == (code, True), ran
    found = place.site.shell(
        f"from chat.models import Message; print(Message.objects.filter(body={said.strip()!r}).count())"
    )
    assert found.strip() == "1"


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
