"""The arguments of `python -m hubbub.client`. Its conversations with a server are in test_documents.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.client import ConnectionEnded
from hubbub.client.__main__ import fields_of, hint, main
from tests.support.servers import ROOT

URL = "ws://127.0.0.1:1/ws/chat/"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ftp://127.0.0.1/", "room/a"], "'ftp://127.0.0.1/' is no address of an endpoint"),
        (["http://127.0.0.1/live", "room/a"], "'http://127.0.0.1/live' is no address of HTTP"),
        ([URL, "room/a", "--send", "x", "--command", "vote"], "give --send or --command, not both"),
        ([URL, "room/a", "room/b", "--send", "x"], "a command goes to one topic"),
        ([URL, "room/a", "--command", "vote", "option"], "'option' is not NAME=VALUE"),
        ([URL, "room/a", "--command", "vote", "=4"], "'=4' is not NAME=VALUE"),
        ([URL, "room/a", "--token-file", "/nowhere/token"], "[Errno 2] No such file or directory"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"python -m hubbub.client: {line}")
    assert printed.err.count("\n") == 1


def test_a_token_file_that_is_no_text_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert main([URL, "room/a", "--token-file", str(tmp_path / "token")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_there_is_no_argument_for_a_token() -> None:
    with pytest.raises(SystemExit) as ended:
        main([URL, "room/a", "--token", "hub_x"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("problem", "token", "told"),
    [
        (ConnectionEnded(4001, "the token is not valid"), "", True),
        (ConnectionEnded(4001, "the token is not valid"), "hub_1_x", False),
        (ConnectionEnded(404, "there is no endpoint at this address"), "", False),
        (ConnectionError("no answer within 3 s"), "", False),
    ],
)
def test_a_refusal_without_a_token_says_that_none_was_given(problem: ConnectionError, token: str, told: bool) -> None:
    assert hint(problem, token) == ("; no token was given: set HUBBUB_TOKEN, or name a --token-file" if told else "")


def test_values_are_json_or_else_texts() -> None:
    texts = [
        "option=4",
        "name=Ann",
        "body=a=b",
        "empty=",
        "is_open=true",
        'ids=["a"]',
        'quoted="4"',
        "deep=" + "[" * 9999,
    ]
    assert fields_of(texts) == {
        "option": 4,
        "name": "Ann",
        "body": "a=b",
        "empty": "",
        "is_open": True,
        "ids": ["a"],
        "quoted": "4",
        "deep": "[" * 9999,
    }


@pytest.mark.slow
def test_without_its_extra_the_command_line_says_what_to_install() -> None:
    code = """
import sys; sys.modules["websockets"] = None
import runpy; sys.argv = ["client", "ws://127.0.0.1:1/", "room/a"]
runpy.run_module("hubbub.client", run_name="__main__")
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60)
    line = 'hubbub.client needs websockets: pip install "django-hubbub[client]"'
    assert (ran.returncode, ran.stderr) == (1, f"python -m hubbub.client: {line}\n")


@pytest.mark.slow
def test_a_server_that_is_away_is_told_and_ctrl_c_ends_it() -> None:
    # A run of tests in the background ignores SIGINT, and so would its programs.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "hubbub.client", URL, "room/a"]
    program = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    assert "next attempt in" in program.stderr.readline()
    program.send_signal(2)
    _, rest = program.communicate(timeout=20)
    assert program.returncode == 130
    assert "Traceback" not in rest


@pytest.mark.slow
def test_a_reader_of_its_output_that_goes_ends_it_quietly() -> None:
    """As `| head -1` does."""
    code = """
import asyncio, sys
from tests.support.scripted_server import Peer, scripted
from hubbub.client import __main__
async def conversation(peer: Peer) -> None:
    await peer.admit("")
    await peer.joined(1)
    await asyncio.sleep(0.5)
    await peer.events(*range(2, 9))
    await peer.gone()
async def serve() -> None:
    async with scripted(conversation) as url:
        command = [sys.executable, "-m", "hubbub.client", url, "room/lounge"]
        pipe = asyncio.subprocess.PIPE
        program = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        await program.stdout.readline()
        program.stdout._transport.close()
        print(await program.wait(), await program.stderr.read())
asyncio.run(serve())
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.stdout == "141 b''\n", ran.stderr
