"""The supervisor's parts that can be told apart from a whole site: sockets, locks, back-off, order."""

import asyncio
import io
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from hubbub.process.ports import InUse, bind, claim_port, lock_folder
from hubbub.supervisor import programs
from hubbub.supervisor.child import Child, Console
from hubbub.supervisor.command_program import ManagedCommand
from hubbub.supervisor.programs import CannotStart
from hubbub.supervisor.supervisor import Supervisor
from tests.support.cluster import until

pytestmark = pytest.mark.slow


class Script(ManagedCommand):
    """A few lines of Python that are kept running."""

    async def launch(self) -> Child:
        return await Child.start(
            [sys.executable, "-c", *self.command],
            show=self.show,
            environ=self.environ,
            folder=self.folder,
            pass_fds=[self.lock],
        )

    async def probe(self, child: Child) -> str:
        return "" if any("ready" in line for line in child.last_lines) else "has said nothing"

    def did_start(self, lived_seconds: float) -> bool:
        return self.ready.is_set()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(Console, "print", lambda self, text: lines.append(text))
    return lines


@pytest.fixture
def make_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(programs, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(programs, "PROBE_SECONDS", 0.01)
    lock = lock_folder(tmp_path)

    def make(name: str, code: str) -> Script:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return Script(name=name, console=Console(), environ=environ, folder=tmp_path, lock=lock, command=[code])

    yield make
    os.close(lock)


STAYS = "import time; print('ready'); time.sleep(60)"
ENDS_SLOWLY = f"import signal; signal.signal(signal.SIGTERM, lambda *_: None); {STAYS}"


async def test_stages_start_in_order_and_stop_backwards(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    code = """
import signal, sys, time
def end(*_): print(sys.argv[0], 'ends'); sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready')
time.sleep(60)
"""
    first, second = make_script("first", code), make_script("second", code)
    supervisor = Supervisor([[first], [second]], console=Console(), announce=lambda: console.append("announced"))
    run = asyncio.create_task(supervisor.run())
    await until(lambda: "announced" in console)
    supervisor._request_stop()
    await run
    assert [line.split()[0] for line in console if "ready" in line] == ["first", "second"]
    assert [line.split()[0] for line in console if "ends" in line] == ["second", "first"]


async def test_what_dies_before_it_is_ready_five_times_ends_all_with_its_last_words(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    healthy, broken = make_script("healthy", STAYS), make_script("broken", "raise SystemExit('no disk')")
    supervisor = Supervisor([[healthy], [broken]], console=Console(), announce=lambda: console.append("announced"))
    with pytest.raises(CannotStart, match=r"broken failed to start 5 times \(exit code 1\)(.|\n)*no disk"):
        await supervisor.run()
    assert "announced" not in console
    assert not healthy.child.is_alive


async def test_what_answers_wrongly_is_not_waited_for_for_ever(  # type: ignore[no-untyped-def]
    make_script, console: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.supervisor.supervisor.SLOW_START_SECONDS", 0.05)
    monkeypatch.setattr("hubbub.supervisor.supervisor.GIVE_UP_SECONDS", 0.1)
    slow, wrong = (
        make_script("slow", "import time; time.sleep(60)"),
        make_script("wrong", "import time; time.sleep(60)"),
    )
    wrong.is_misconfigured = True
    supervisor = Supervisor([[slow, wrong]], console=Console(), announce=lambda: console.append("announced"))
    with pytest.raises(CannotStart, match=r"^wrong is not ready after 0\.1 s: "):
        await supervisor.run()
    assert any(line.startswith("slow") and "not ready yet: " in line for line in console)
    assert "announced" not in console


async def test_what_was_ready_once_is_started_again_for_ever(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    script = make_script("short", "import time; print('ready'); time.sleep(0.2)")
    keeper = asyncio.create_task(script.keep_running())
    await until(lambda: sum("restarts in" in line for line in console) > programs.MAX_FAILED_STARTS, 60)
    assert not keeper.done()
    delays = [float(line.split("restarts in ")[1].split()[0]) for line in console if "restarts in" in line]
    assert delays[:4] == [0.01, 0.02, 0.04, 0.08]
    script.stopping = True
    keeper.cancel()
    await script.stop()


async def test_a_replacement_that_does_not_come_up_leaves_the_old_one(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    script = make_script("web", STAYS)
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    old = script.child
    script.command = ["raise SystemExit(1)"]
    assert await script.replace() == "has said nothing"
    assert script.child is old
    assert old.is_alive
    await script.stop()
    await keeper


async def test_a_stop_waits_for_the_one_that_has_just_been_replaced(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    code = """
import signal, sys, time
def end(*_):
    print('draining')
    time.sleep(1)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready')
time.sleep(60)
"""
    script = make_script("web", code)

    async def wait_draining(child: Child) -> None:
        await until(lambda: "draining" in child.last_lines)

    script.wait_draining = wait_draining
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    old = script.child
    os.kill(old.pid, signal.SIGTERM)
    await until(lambda: script.child is not old)
    script.child.kill()  # The new one ends at once, long before the old one.
    await script.stop()
    assert not old.is_alive
    await keeper


async def test_a_replacement_that_dies_while_the_old_one_still_ends_is_started_again(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    script = make_script("web", ENDS_SLOWLY)
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    old = script.child
    replacing = asyncio.create_task(script.replace())
    await until(lambda: script.child is not old)
    new = script.child
    new.kill()
    await until(lambda: script.child not in (None, new), 5)
    assert old.is_alive
    assert any("ended (killed by SIGKILL); restarts in" in line for line in console)
    old.kill()
    await replacing
    await script.stop()
    await keeper


async def test_a_stop_waits_for_all_that_were_replaced_one_after_another(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    script = make_script("web", ENDS_SLOWLY)
    keeper = asyncio.create_task(script.keep_running())
    replaced = []

    async def wait_draining(child: Child) -> None:
        await until(lambda: child in replaced, 60)

    script.wait_draining = wait_draining
    for script.stop_seconds in (2, 0.2):  # The first of them is the last to end.
        await script.ready.wait()
        old = script.child
        replaced.append(old)
        await until(lambda old=old: script.child is not old)
    await script.stop()
    assert not any(one.is_alive for one in replaced)
    await keeper


async def test_one_that_dies_does_not_wait_for_a_replacement_that_accepts_nothing_yet(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    script = make_script("web", STAYS)
    script.is_accepting = lambda child: False
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    old, script.command = script.child, ["import time; time.sleep(60)"]
    replacing = asyncio.create_task(script.replace())
    await until(lambda: len(script._alive) == 2)
    script.command = [STAYS]
    old.kill()
    async with asyncio.timeout(5):
        assert await replacing == ""
    await until(lambda: script.child not in (None, old), 5)
    await script.stop()
    await keeper


async def test_one_that_dies_is_followed_by_the_replacement_that_accepts_already(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    script = make_script("web", STAYS)
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    old, script.command = script.child, [f"import time; time.sleep(0.5); {STAYS}"]
    replacing = asyncio.create_task(script.replace())
    await until(lambda: len(script._alive) == 2)
    old.kill()
    assert await replacing == ""
    assert script.child is not old
    assert script.child.is_alive
    assert not any("restarts in" in line for line in console)
    await script.stop()
    await keeper


async def test_a_restart_that_failed_does_not_keep_the_rest_from_being_stopped(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    script = make_script("web", STAYS)
    supervisor = Supervisor([[script]], console=Console(), announce=lambda: console.append("announced"))
    run = asyncio.create_task(supervisor.run())
    await until(lambda: "announced" in console)
    script.folder = script.folder / "gone"  # So that no other can be started.
    supervisor._on_hangup()
    await until(lambda: supervisor._restart is not None and supervisor._restart.done())
    supervisor._request_stop()
    await run
    assert not script.child.is_alive


async def test_one_that_ignores_the_request_to_end_is_killed(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    script = make_script("deaf", f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAYS}")
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    script.stop_seconds = 0.2
    await script.stop()
    await keeper
    assert any("did not stop within 0.2 s and was killed" in line for line in console)


async def test_endless_output_without_a_line_break_is_cut(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    script = make_script("noisy", f"print('x' * 300_000); {STAYS}")
    keeper = asyncio.create_task(script.keep_running())
    await script.ready.wait()
    assert sum(line.count("x") for line in console) == 300_000
    await script.stop()
    await keeper


async def test_output_that_the_terminal_has_no_letters_for_is_read_all_the_same(  # type: ignore[no-untyped-def]
    make_script, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    script = make_script("web", "import sys; sys.stdout.buffer.write('…\\nready\\n'.encode()); " + STAYS)
    keeper = asyncio.create_task(script.keep_running())
    async with asyncio.timeout(20):
        await script.ready.wait()
    await script.stop()
    await keeper
    assert b"web       | ?\n" in terminal.getvalue()


def test_a_port_is_taken_by_a_listener_that_would_share_it() -> None:
    first = bind("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with first, bind("127.0.0.1", port), pytest.raises(InUse, match=f"Port {port} on 127.0.0.1 is in use"):
        claim_port("127.0.0.1", port)
    assert claim_port("127.0.0.1", port) == port


def test_ipv6_and_addresses_that_are_not_ours() -> None:
    with bind("::1", claim_port("[::1]", 0)) as listener:
        assert listener.family == socket.AF_INET6
    with pytest.raises(InUse, match="not an address of this machine"):
        claim_port("192.0.2.1", 0)
    with pytest.raises(InUse, match="not an address of this machine"):
        claim_port("not a host", 0)


def test_a_lock_lives_as_long_as_any_copy_of_it(tmp_path: Path) -> None:
    held = lock_folder(tmp_path)
    copy = os.dup(held)
    os.close(held)
    with pytest.raises(InUse):
        lock_folder(tmp_path)
    os.close(copy)
    os.close(lock_folder(tmp_path))
