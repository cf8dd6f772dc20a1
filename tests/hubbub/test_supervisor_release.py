"""SIGHUP as the supervisor takes it: a release first, and only then other processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hubbub.supervisor.child import Console
from hubbub.supervisor.release_child import ReleaseChild, find_reason
from hubbub.supervisor.supervisor import Supervisor
from tests.support.cluster import until
from tests.support.scripts import STAYS, Script

pytestmark = pytest.mark.slow


class Run:
    """A supervisor of one child, with a few lines of Python as the release."""

    def __init__(self, script: Script, code: str, lines: list[str], seconds: float = 60.0) -> None:
        self.script = script
        self.lines = lines
        self.release = ReleaseChild(
            [], console=Console(), environ=dict(os.environ), folder=script.folder, lock=script.lock, seconds=seconds
        )
        self.change(code)
        self.supervisor = Supervisor(
            [[script]], console=Console(), announce=lambda: lines.append("announced"), release=self.release
        )

    def change(self, code: str) -> None:
        self.release._command = [sys.executable, "-c", code]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Run"]:
        task = asyncio.create_task(self.supervisor.run())
        await until(lambda: "announced" in self.lines)
        try:
            yield self
        finally:
            self.supervisor._request_stop()
            async with asyncio.timeout(20):
                await task

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@pytest.fixture
def make_run(make_script, console: list[str]):  # type: ignore[no-untyped-def]
    def make(code: str, seconds: float = 60.0) -> Run:
        return Run(make_script("web", STAYS), code, console, seconds)

    return make


async def test_a_release_that_fails_leaves_all_processes_and_one_line(make_run) -> None:  # type: ignore[no-untyped-def]
    code = "import sys; print('a traceback'); print('CommandError: chat.0009 failed.'); sys.exit(1)"
    async with make_run(code).running() as run:
        old = run.script.child
        run.supervisor._on_hangup()
        await until(lambda: run.has("release   |"))
        await until(run.supervisor._restart.done)
        assert run.script.child is old
        assert [line for line in run.lines if line.startswith("release")] == [
            "release   | refused, all processes keep running: chat.0009 failed."
        ]
        run.change("")
        run.supervisor._on_hangup()
        await until(lambda: run.has("restarted"))
        assert run.script.child is not old


async def test_nothing_is_replaced_before_the_release_is_done(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mark = tmp_path / "mark"
    code = (
        "import pathlib, time\nprint('release: waits', flush=True)\n"
        f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.02)"
    )
    async with make_run(code).running() as run:
        old = run.script.child
        run.supervisor._on_hangup()
        await until(lambda: run.has("release   | waits"))
        assert run.script.child is old
        assert len(run.script._alive) == 1
        mark.touch()
        await until(lambda: run.has("restarted"))


async def test_sighup_while_a_release_runs_is_followed_by_one_more(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mark, count = tmp_path / "mark", tmp_path / "count"
    code = (
        f"import pathlib, time\nopen({str(count)!r}, 'a').write('x')\n"
        f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.02)"
    )
    async with make_run(code).running() as run:
        run.supervisor._on_hangup()
        await until(count.exists)
        for _ in range(3):
            run.supervisor._on_hangup()
        assert sum("requested again" in line for line in run.lines) == 1
        mark.touch()
        await until(run.supervisor._restart.done)
        assert count.read_text() == "xx"
        assert sum("restarted" in line for line in run.lines) == 2


async def test_a_release_that_hangs_is_ended_and_said(make_run) -> None:  # type: ignore[no-untyped-def]
    async with make_run("import time; time.sleep(600)", 0.5).running() as run:
        old = run.script.child
        run.supervisor._on_hangup()
        await until(run.supervisor._restart.done)
        assert run.has(
            "refused, all processes keep running: the release took longer than 0.5 s and was ended "
            '(see HUBBUB["RELEASE_SECONDS"])'
        )
        assert run.script.child is old


async def test_a_stop_during_a_release_ends_it_too(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mark = tmp_path / "mark"
    run = make_run(f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    async with run.running():
        run.supervisor._on_hangup()
        await until(lambda: mark.exists() and mark.read_text())
        pid = int(mark.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
    assert not run.script.child.is_alive
    assert not run.has("refused")


async def test_a_release_that_cannot_be_started_is_refused(make_run) -> None:  # type: ignore[no-untyped-def]
    run = make_run("")
    run.release._folder = run.script.folder / "gone"
    async with run.running():
        old = run.script.child
        run.supervisor._on_hangup()
        await until(lambda: run.has("refused, all processes keep running: the release failed to start"))
        assert run.script.child is old


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Traceback", "  File x", "SyntaxError: invalid syntax"], "SyntaxError: invalid syntax"),
        (["a warning", "CommandError: no disk", "more"], "no disk"),
        (
            [
                "SystemCheckError: System check identified some issues:",
                "ERRORS:",
                '?: (hubbub.E010) HUBBUB["REDIS_URL"] is not set.',
                "HINT",
            ],
            '?: (hubbub.E010) HUBBUB["REDIS_URL"] is not set.',
        ),
        (["", "  "], ""),
    ],
)
def test_the_reason_is_one_line_of_the_output(lines: list[str], said: str) -> None:
    assert find_reason(lines) == said
