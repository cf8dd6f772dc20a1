"""The programs and command lines of docs/clients.md, run as they stand against a real server."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.missed_changes import new_room
from tests.support.servers import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
BOT, ARCHIVE, TRACE = PROGRAMS
MAX_LINES_OF_A_BOT = 15
SECONDS = 30.0

People = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def people(cluster: Cluster) -> People:
    return {name: cluster.make_user(name) for name in ("alice", "robot")}


@pytest.fixture
def room(cluster: Cluster) -> str:
    return new_room(cluster)


@pytest.fixture(params=["socket", "http"])
def url(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """Each program, and the command line, over each way."""
    return cluster.url + "/live/" if request.param == "http" else cluster.url.replace("http", "ws", 1) + "/ws/chat/"


def environ(token: str) -> dict[str, str]:
    """Without settings of Django: the client needs none."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "DJANGO_"))}
    return keep | {"PYTHONPATH": str(ROOT), "HUBBUB_TOKEN": token}


@asynccontextmanager
async def running(folder: Path, token: str, arguments: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of Python, ended at the end of the block."""
    # A run of tests in the background ignores SIGINT, and so would its programs.
    program = await asyncio.create_subprocess_exec(
        *("env", "--default-signal=INT", sys.executable),
        *arguments,
        cwd=folder,
        env=environ(token),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


async def line_of(program: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next event that it prints, presence left out."""
    assert program.stdout is not None
    async with asyncio.timeout(SECONDS):
        frame: dict[str, Any] = {"type": "presence.changed"}
        while frame["type"] == "presence.changed":
            line = await program.stdout.readline()
            assert line, (await program.stderr.read() if program.stderr else b"").decode()
            frame = json.loads(line)
        return frame


def test_the_bot_is_short() -> None:
    lines = [line for line in BOT.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= MAX_LINES_OF_A_BOT


def test_the_observer_of_the_page_is_one() -> None:
    exec(compile(TRACE, "clients.md", "exec"), {})


@pytest.mark.cluster
async def test_the_bot_answers(cluster: Cluster, url: str, people: People, room: str, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT.replace("room/general", f"room/{room}"))
    async with (
        cluster.client(cookie=people["alice"]["cookie"]) as alice,
        running(tmp_path, people["robot"]["token"], ["bot.py", url]) as bot,
    ):
        present = (await alice.join(room)).get("present", {"users": []})["users"]
        while "robot" not in [user["name"] for user in present]:
            present = (await alice.event("presence.changed", SECONDS))["joined"]
        await alice.post(room, "hello")
        await alice.post(room, "!ping")
        while (message := (await alice.event("message.posted"))["message"])["user"]["name"] != "robot":
            pass
        assert message["body"] == "pong, alice"
        assert bot.returncode is None


@pytest.mark.cluster
async def test_the_archive_has_every_message_once_over_two_runs(
    cluster: Cluster, url: str, people: People, room: str, tmp_path: Path
) -> None:
    (tmp_path / "archive.py").write_text(ARCHIVE.replace("room/general", f"room/{room}"))
    arguments = ["archive.py", url]
    async with cluster.client(cookie=people["alice"]["cookie"]) as alice:
        async with running(tmp_path, people["robot"]["token"], arguments) as first:
            assert (await line_of(first))["type"] == "state"
            await alice.post(room, "one")
            assert (await line_of(first))["message"]["body"] == "one"
            # The position is kept after the line.
            async with asyncio.timeout(SECONDS):
                while json.loads((tmp_path / "position.json").read_text() or "{}").get("after") != 1:
                    await asyncio.sleep(0.02)
        await alice.post(room, "two")
        await alice.post(room, "three")
        async with running(tmp_path, people["robot"]["token"], arguments) as second:
            bodies = [(await line_of(second))["message"]["body"] for _ in range(2)]
            assert bodies == ["two", "three"]


# The command line


def run(token: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubbub.client", *arguments]
    return subprocess.run(
        command, env=environ(token) | more, cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.mark.cluster
async def test_the_command_line_posts_and_shows_events(url: str, people: People, room: str, tmp_path: Path) -> None:
    token, address = people["robot"]["token"], f"room/{room}"
    async with running(tmp_path, token, ["-m", "hubbub.client", url, address]) as shown:
        state = await line_of(shown)
        assert (state["type"], state["state"]["messages"]) == ("state", [])
        sent = await asyncio.to_thread(run, token, url, address, "--send", "The backup is done.")
        assert (sent.returncode, sent.stderr) == (0, "")
        assert json.loads(sent.stdout)["seq"] == 1
        assert (await line_of(shown))["message"]["body"] == "The backup is done."
        edited = await asyncio.to_thread(
            run, token, url, address, "--command", "message.edit", "seq=1", "body=It is not."
        )
        assert (edited.returncode, edited.stderr) == (0, "")
        event = await line_of(shown)
        assert (event["type"], event["message"]["body"]) == ("message.edited", "It is not.")
        shown.send_signal(signal.SIGINT)
        async with asyncio.timeout(SECONDS):
            assert await shown.wait() == 130
        assert shown.stderr is not None
        assert await shown.stderr.read() == b""


@pytest.mark.cluster
def test_the_command_line_says_in_one_line_what_is_wrong(url: str, people: People, room: str, tmp_path: Path) -> None:
    token, address = people["robot"]["token"], f"room/{room}"
    wrong = "hub_1_wrong"
    tokens = tmp_path / "token"
    tokens.write_text(token + "\n")
    expected = [
        ((wrong, url, address), 1, "unauthorized: the token is not valid (4001)"),
        ((token, url, "room/none"), 1, "room/none: not_found"),
        ((token, url, "room/none", "--send", "x"), 1, "room/none: not_found"),
        ((token, url, address, "--command", "message.edit", "seq=77", "body=x"), 1, f"{address}: not_found"),
        ((token, url, address, "--command", "fly"), 1, f"{address}: invalid: room has no command 'fly'"),
        (
            (token, re.sub("/(ws/chat|live)/", "/nothing/", url), address),
            1,
            "there is no endpoint at this address (404)",
        ),
        ((token, "ws://127.0.0.1:1/", address, "--send", "x", "--timeout", "0.3"), 1, "no answer within 0.3 s"),
    ]
    for arguments, code, text in expected:
        ran = run(*arguments)
        assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
        last = ran.stderr.splitlines()[-1]
        assert last.startswith(f"python -m hubbub.client: {text}"), ran.stderr
        assert token not in ran.stderr
        assert wrong not in ran.stderr
    assert run(wrong, url, address, "--send", "x", "--token-file", str(tokens)).returncode == 0
