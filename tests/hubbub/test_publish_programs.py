"""What any kind of program publishes arrives, however it began and however it ends: real programs, a real Redis."""

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
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

BEGIN = """
import asyncio, atexit, concurrent.futures, multiprocessing, os, signal, sys, threading, time
import django
django.setup()
from hubbub.publish import flush, publish

GROUP = "room.general"

def say(*texts):
    for text in texts:
        publish(GROUP, str(text))
"""

# Each says what has to arrive by printing it.
PROGRAMS = {
    "a script that ends at once": """
        say(*range(50))
        print(*range(50))
    """,
    "a script that fails": """
        print("last words")
        sys.stdout.flush()
        say("last"); say("words")
        raise SystemExit(0)
    """,
    "what is published when the program ends, before and after the publisher's own end": """
        # Registered before hubbub is: atexit goes backwards. The publisher's own was registered at import.
        atexit.register(say, "early")
        say("first")
        print("first early late")
        atexit._run_exitfuncs()
        say("late")
    """,
    "threads that end at once": """
        threads = [threading.Thread(target=say, args=[f"{one}-{number}" for number in range(20)]) for one in range(20)]
        for one in threads:
            one.start()
        print(*[f"{one}-{number}" for one in range(20) for number in range(20)])
    """,
    "children of os.fork that end as the parent would, whose parent has published": """
        say("parent")
        pids = []
        for one in range(5):
            if (pid := os.fork()) == 0:
                say(f"child-{one}")
                sys.exit()
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
        say("parent-again")
        print("parent parent-again", *[f"child-{one}" for one in range(5)])
    """,
    "children of os.fork that end at once, with and without a parent that has published": """
        for round in range(2):
            for one in range(5):
                if os.fork() == 0:
                    say(f"child-{round}-{one}")
                    os._exit(0)
                os.wait()
            say(f"parent-{round}")
        print(*[f"child-{round}-{one}" for round in range(2) for one in range(5)], "parent-0", "parent-1")
    """,
    "grandchildren": """
        say("parent")
        if os.fork() == 0:
            say("child")
            if os.fork() == 0:
                say("grandchild")
                os._exit(0)
            os.wait()
            say("child-again")
            os._exit(0)
        os.wait()
        say("parent-again")
        print("parent child grandchild child-again parent-again")
    """,
    "a fork while other threads publish": """
        stop = threading.Event()
        sent = []
        def go_on(name):
            number = 0
            while not stop.is_set():
                say(f"{name}-{number}")
                sent.append(f"{name}-{number}")
                number += 1
                time.sleep(0.001)
        threads = [threading.Thread(target=go_on, args=[f"thread-{one}"]) for one in range(4)]
        for one in threads:
            one.start()
        for one in range(20):
            if (pid := os.fork()) == 0:
                say(f"child-{one}")
                os._exit(0)
            os.waitpid(pid, 0)
        stop.set()
        for one in threads:
            one.join()
        assert flush()
        print(*sent, *[f"child-{one}" for one in range(20)])
    """,
    "a program that a signal ends and that handles it": """
        def end(*_):
            say("handler")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        say("before")
        print("before handler")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    """,
    "a child that a signal ends without a word": """
        say("parent")
        if (pid := os.fork()) == 0:
            say("child")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        os.waitpid(pid, 0)
        print("parent child")
    """,
    "coroutines": """
        async def main():
            for number in range(20):
                publish(GROUP, f"coroutine-{number}")
            await asyncio.to_thread(say, "thread")
        asyncio.run(main())
        print(*[f"coroutine-{number}" for number in range(20)], "thread")
    """,
    "flush before the worst end": """
        say(*range(100))
        assert flush() is True
        print(*range(100))
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    """,
}

# multiprocessing starts a program's file again: these are files.
CHILDREN = """
def in_coroutine(name):
    async def main():
        publish(GROUP, f"coroutine-{name}")
    asyncio.run(main())

def work(name):
    say(f"work-{name}")
    return name

if __name__ == "__main__":
    say("parent")
    context = multiprocessing.get_context(sys.argv[1])
    many = 2 if sys.argv[1] == "fork" else 1  # Each other child takes the start of an interpreter.
    children = [context.Process(target=say, args=[f"child-{one}"]) for one in range(many)]
    children.append(context.Process(target=in_coroutine, args=["child"]))
    for one in children:
        one.start()
    for one in children:
        one.join()
    assert [one.exitcode for one in children] == [0] * len(children)
    with context.Pool(many) as pool:  # It kills its children when it is left.
        pool.map(work, range(10))
    with concurrent.futures.ProcessPoolExecutor(many, mp_context=context) as pool:
        list(pool.map(work, range(10, 20)))
    with context.Pool(1, maxtasksperchild=1) as pool:
        pool.map(work, range(20, 22), chunksize=1)
    say("parent-again")
    print("parent parent-again coroutine-child", *[f"child-{one}" for one in range(many)])
    print(*[f"work-{one}" for one in range(22)])
"""


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
    """Celery's, with prefork; what it says is in the file."""
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


async def test_a_program_whose_frames_redis_never_took_says_so(tmp_path: Path) -> None:
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
