"""publish() is the same from everywhere: async code, a thread, a script. It never waits for Redis and never raises."""

import asyncio
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub import publish as publishing
from hubbub.process.metrics import COUNTERS
from hubbub.publish import (
    USERS_GROUP,
    flush,
    process_sender,
    publish,
    publish_access_changed,
    publish_users_changed,
    sender,
)
from tests.support.hubs import GROUP, next_frame, until


async def test_from_async_code_and_from_a_thread(heard: Any) -> None:
    publish(GROUP, "one", position=1)
    assert await next_frame(heard) == {"type": "hubbub.frame", "group": GROUP, "text": "one", "position": 1}
    await asyncio.to_thread(publish, GROUP, "two", version=7)
    assert await next_frame(heard) == {"type": "hubbub.frame", "group": GROUP, "text": "two", "version": 7}


async def test_in_a_servers_own_loop_frames_keep_their_order(heard: Any) -> None:
    publishing.send_from(asyncio.get_running_loop())
    for number in range(200):
        publish(GROUP, str(number))
    assert [(await next_frame(heard))["text"] for _ in range(200)] == [str(number) for number in range(200)]


@pytest.fixture
async def asked() -> AsyncIterator[list[Any]]:
    """The hints to this process, in order."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(USERS_GROUP, channel)
    messages: list[Any] = []

    async def listen() -> None:
        while True:
            messages.append((await layer.receive(channel))["recheck"])

    listening = asyncio.create_task(listen())
    yield messages
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await layer.flush()


async def test_any_number_of_changed_users_is_announced_without_displacing_messages(
    heard: Any, asked: list[Any]
) -> None:
    publishing.send_from(asyncio.get_running_loop())
    failures, sent = COUNTERS.publish_failures, COUNTERS.published
    for number in range(30_000):  # Three times what may wait.
        publish_users_changed([number % 20_000])
    publish(GROUP, "one")
    await until(lambda: len(asked) > 0)
    assert sorted(asked[0]) == list(range(20_000))
    assert (await next_frame(heard))["text"] == "one"
    # They are heard before Redis has said how many took them.
    await until(lambda: COUNTERS.published - sent == 2)
    assert COUNTERS.publish_failures == failures


async def test_all_of_them_is_more_than_some(asked: list[Any]) -> None:
    publishing.send_from(asyncio.get_running_loop())
    for user_ids in (["1"], None, ["2"]):
        publish_users_changed(user_ids)
    await until(lambda: asked == ["all"])


async def test_concurrent_changes_of_members_are_announced_once(heard: Any) -> None:
    publishing.send_from(asyncio.get_running_loop())
    for _ in range(100):
        publish_access_changed(GROUP)
    publish(GROUP, "one")
    assert (await next_frame(heard))["recheck"] == "all"
    assert (await next_frame(heard))["text"] == "one"


@pytest.mark.slow
async def test_a_script_sends_its_publications_before_it_ends(heard: Any) -> None:
    script = """
        import django
        django.setup()
        from hubbub.publish import publish
        for number in range(20):
            publish("room.general", str(number))
    """
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [(await next_frame(heard))["text"] for _ in range(20)] == [str(number) for number in range(20)]


@pytest.mark.slow
@pytest.mark.parametrize("listens", [False, True], ids=["away", "silent"])
def test_a_redis_that_is_away_neither_raises_nor_delays(tmp_path: Path, listens: bool) -> None:
    script = """
        import time, django
        django.setup()
        from hubbub.process.metrics import COUNTERS
        from hubbub.publish import flush, publish
        publish("room.general", "the first one has the publisher's thread import what it needs")
        flush()
        began = time.monotonic()
        for number in range(100):
            publish("room.general", str(number))
        assert time.monotonic() - began < 0.5
        flush()
        assert COUNTERS.publish_failures == 101, COUNTERS
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "redis.sock"))
        if listens:
            listener.listen()
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env=os.environ | {"REDIS_URL": f"unix://{tmp_path}/redis.sock"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("Redis unavailable") == 1


async def test_waiting_frames_go_to_redis_together_and_in_order(heard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    send = sender.send_together

    async def watched(layer: Any, messages: list[Any]) -> int:
        batches.append(len(messages))
        return await send(layer, messages)

    monkeypatch.setattr(sender, "send_together", watched)
    publishing.send_from(asyncio.get_running_loop())
    sent = COUNTERS.published
    for number in range(100):
        publish("no group!" if number == 50 else GROUP, str(number))
    expected = [str(number) for number in range(100) if number != 50]
    assert [(await next_frame(heard))["text"] for _ in expected] == expected
    assert batches == [64, 36]
    await until(lambda: COUNTERS.published - sent == 99)


async def test_a_name_that_is_no_group_is_logged_and_disturbs_nothing(heard: Any, caplog: Any) -> None:
    publish("no group!", "lost")
    publish(GROUP, "fine")
    assert (await next_frame(heard))["text"] == "fine"
    assert "no group!" in caplog.text


def test_flush_keeps_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    async def hang(layer: Any, messages: list[Any]) -> int:
        while not release.is_set():
            await asyncio.sleep(0.01)
        return len(messages)

    monkeypatch.setattr(sender, "send_together", hang)
    monkeypatch.setattr(process_sender, "_current", None)
    began = time.monotonic()
    publish(GROUP, "stuck")
    assert not flush(0.3)
    assert 0.3 <= time.monotonic() - began < 2
    release.set()
    assert flush()


async def slow_send(layer: Any, messages: list[Any]) -> int:
    await asyncio.sleep(0.002)
    sent_slowly.extend(messages)
    return len(messages)


sent_slowly: list[Any] = []


def test_flush_returns_after_all_earlier_publications_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """From many threads at once, with rechecks among it, while others go on publishing."""
    monkeypatch.setattr(sender, "send_together", slow_send)
    monkeypatch.setattr(process_sender, "_current", None)
    sent_slowly.clear()
    early: list[str] = []
    stop = threading.Event()

    def publish_and_flush(name: int) -> None:
        for number in range(40):
            text = f"{name}-{number}"
            publish(GROUP, text)
            publish_access_changed(f"room.{text}")
            assert flush()
            groups = {message.group for message in sent_slowly}
            texts = {getattr(message, "text", None) for message in sent_slowly}
            if text not in texts or f"room.{text}" not in groups:
                early.append(text)

    def go_on() -> None:
        while not stop.is_set():
            publish(GROUP, "more")
            publish_users_changed([1])
            time.sleep(0.0005)

    idle_threads = [threading.Thread(target=go_on) for _ in range(3)]
    threads = [threading.Thread(target=publish_and_flush, args=[number]) for number in range(8)]
    for other in (*idle_threads, *threads):
        other.start()
    for thread in threads:
        thread.join()
    stop.set()
    for other in idle_threads:
        other.join()
    assert early == []
    assert flush()


def test_flush_in_the_moment_when_the_queue_runs_empty_is_not_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame put while the sender reports the end was missed by a `flush` right after it."""
    sent: set[str] = set()
    early: list[str] = []

    async def send(layer: Any, messages: list[Any]) -> int:
        sent.update(message.text for message in messages)
        return len(messages)

    def publish_and_flush(name: int) -> None:
        for number in range(500):
            publish(GROUP, text := f"{name}-{number}")
            assert flush()
            if text not in sent:
                early.append(text)

    monkeypatch.setattr(sender, "send_together", send)
    monkeypatch.setattr(process_sender, "_current", None)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(publish_and_flush, range(4)))
    finally:
        sys.setswitchinterval(interval)
    assert early == []


def test_flush_says_once_in_each_thread_that_something_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    is_away = True

    async def send(layer: Any, messages: list[Any]) -> int:
        if is_away:
            raise OSError("away")
        return len(messages)

    monkeypatch.setattr(sender, "send_together", send)
    monkeypatch.setattr(process_sender, "_current", None)
    with ThreadPoolExecutor(1) as earlier, ThreadPoolExecutor(1) as later:
        earlier.submit(publish, GROUP, "lost").result()
        publish(GROUP, "lost as well")
        assert not flush()
        is_away = False
        publish(GROUP, "fine")
        assert flush()
        # The answer for one thread is none for another; a later one has lost nothing.
        assert [earlier.submit(flush).result() for _ in range(2)] == [False, True]
        later.submit(publish, GROUP, "fine").result()
        assert later.submit(flush).result()


async def test_flush_in_the_loop_that_sends_is_an_error_and_flushed_waits(heard: Any) -> None:
    publishing.send_from(asyncio.get_running_loop())
    publish(GROUP, "one")
    with pytest.raises(RuntimeError, match="flushed"):
        flush()
    assert await publishing.flushed(5)
    assert (await next_frame(heard))["text"] == "one"
