"""Publications of any kind of program arrive, however it begins and ends: real programs, a real Redis."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.hubs import next_frame
from tests.support.publishing_programs import BEGIN, CHILDREN, PROGRAMS
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster


async def run(arguments: Sequence[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", *arguments],
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{folder}"} | more,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=90,
        )

    return await asyncio.to_thread(call)


async def arrive(heard: Any, ran: subprocess.CompletedProcess[str]) -> None:
    """All that the program said it published, each once."""
    expected = sorted(ran.stdout.split())
    assert expected, ran.stderr
    assert sorted([(await next_frame(heard))["text"] for _ in expected]) == expected
    await asyncio.sleep(0.1)
    assert heard.empty()


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
async def test_all_that_a_program_publishes_arrives(heard: Any, program: str, tmp_path: Path) -> None:
    ran = await run(["-c", BEGIN + textwrap.dedent(program)], tmp_path)
    assert (ran.returncode in (0, -signal.SIGKILL), ran.stderr) == (True, "")
    await arrive(heard, ran)


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
async def test_all_that_children_of_multiprocessing_publish_arrives(heard: Any, start: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(BEGIN + CHILDREN)
    ran = await run(["program.py", start], tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    await arrive(heard, ran)


@contextmanager
def worker(folder: Path, options: list[str]) -> Iterator[Path]:
    """A Celery worker with prefork; its output is in the file."""
    output = folder / "output"
    plain = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool", "prefork", "-c", "2", *plain, *options],
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{folder}", "C_FORCE_ROOT": "1"},
            cwd=folder,
            stdout=file,
            stderr=file,
        )
        try:
            yield output
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize(
    ("publishes", "kept"),
    [
        ("parent-has-published", []),
        ("parent-has-published", ["--max-tasks-per-child", "1"]),
        ("parent-has-not", ["--max-tasks-per-child", "1"]),
    ],
    ids=["parent-has-published", "parent-has-published-one-task-per-child", "parent-has-not-one-task-per-child"],
)
async def test_all_that_celery_tasks_publish_arrives(
    heard: Any, kept: list[str], publishes: str, tmp_path: Path
) -> None:
    (tmp_path / "tasks.py").write_text(
        BEGIN
        + textwrap.dedent(f"""
            from celery import Celery

            for folder in ("queue", "control"):
                os.makedirs(folder, exist_ok=True)
            app = Celery("tasks", broker="filesystem://")
            app.conf.broker_transport_options = {{
                "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
            }}
            app.conf.worker_hijack_root_logger = False

            if {publishes == "parent-has-published"} and "worker" in sys.argv:
                say("parent")

            @app.task
            def work(number):
                say(f"task-{{number}}")
        """)
    )
    (tmp_path / "ask.py").write_text("from tasks import work\nfor number in range(6):\n    work.delay(number)\n")
    asked = await run(["ask.py"], tmp_path)
    assert asked.returncode == 0, asked.stderr
    expected = [f"task-{number}" for number in range(6)] + ["parent"] * (publishes == "parent-has-published")
    got: list[str] = []
    with worker(tmp_path, kept) as output:
        try:
            async with asyncio.timeout(60):
                while len(got) < len(expected):
                    message = await heard.get()
                    got += [message["text"]] if message["type"] != "probe" else []
        except TimeoutError:
            raise AssertionError(f"only {got} came; the worker said: {output.read_text()}") from None
    assert sorted(got) == sorted(expected)
    assert "Redis unavailable" not in output.read_text()
    assert heard.empty()


async def test_a_program_reports_frames_that_redis_never_took(tmp_path: Path) -> None:
    program = """
        say("lost")
        assert flush() is False, "lost, and not said"
        say("lost as well")
    """
    ran = await run(["-c", BEGIN + textwrap.dedent(program)], tmp_path, REDIS_URL=f"unix://{tmp_path}/nobody.sock")
    assert ran.returncode == 0, ran.stderr
    assert "messages not delivered to Redis before exit" in ran.stderr


async def test_a_child_waits_for_a_redis_that_is_away_once_and_not_for_each_frame(tmp_path: Path) -> None:
    program = """
        import socket
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("silent.sock")
        listener.listen()
        if os.fork() == 0:
            began = time.monotonic()
            for number in range(100):
                say(number)
            print(time.monotonic() - began)
            sys.stdout.flush()
            os._exit(0)
        os.wait()
    """
    ran = await run(["-c", BEGIN + textwrap.dedent(program)], tmp_path, REDIS_URL=f"unix://{tmp_path}/silent.sock")
    assert 4 < float(ran.stdout) < 8, ran.stderr
