"""Supervisor: order of starts and stops, back-off, replacements, output of programs."""

import asyncio
import io
import os
import signal
import sys

import pytest

from hubbub.supervisor import programs
from hubbub.supervisor.child import Child, Console
from hubbub.supervisor.programs import CannotStart
from hubbub.supervisor.supervisor import Supervisor
from tests.support.cluster import until
from tests.support.scripts import STAYS

pytestmark = pytest.mark.slow


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


async def test_a_program_that_dies_five_times_before_it_is_ready_ends_the_run(  # type: ignore[no-untyped-def]
    make_script, console: list[str]
) -> None:
    healthy, broken = make_script("healthy", STAYS), make_script("broken", "raise SystemExit('no disk')")
    supervisor = Supervisor([[healthy], [broken]], console=Console(), announce=lambda: console.append("announced"))
    with pytest.raises(CannotStart, match=r"broken failed to start 5 times \(exit code 1\)(.|\n)*no disk"):
        await supervisor.run()
    assert "announced" not in console
    assert not healthy.child.is_alive


async def test_a_misconfigured_program_ends_the_start(  # type: ignore[no-untyped-def]
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


async def test_a_program_that_was_ready_once_is_always_restarted(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
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
    assert not any(program.is_alive for program in replaced)
    await keeper


async def test_a_dead_program_does_not_wait_for_an_unready_replacement(  # type: ignore[no-untyped-def]
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


async def test_a_dead_program_is_followed_by_its_ready_replacement(  # type: ignore[no-untyped-def]
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


async def test_a_program_that_ignores_sigterm_is_killed(make_script, console: list[str]) -> None:  # type: ignore[no-untyped-def]
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


async def test_output_that_the_terminal_cannot_encode_is_read(  # type: ignore[no-untyped-def]
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
