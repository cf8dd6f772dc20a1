"""Frames lost by the channel layer are repaired; evictions; notices about Redis."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub.delivery.hub import Hub
from hubbub.runtime import Runtime
from tests.support.hubs import GROUP, Listener, Truth, confirmed, live_member, send, until


@pytest.fixture
def often(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.1}


@pytest.mark.slow
async def test_the_lost_last_frame_is_found_by_comparing_with_the_record(hub: Hub, truth: Truth) -> None:
    listeners = [(await live_member(hub, truth))[0] for _ in range(3)]
    began = asyncio.get_running_loop().time()
    truth.position = 2
    await until(lambda: all(listener.got == ["#1", "#2"] for listener in listeners))
    assert asyncio.get_running_loop().time() - began < 3
    assert truth.reads == [0]


async def test_all_groups_are_compared_by_one_read(hub: Hub, truth: Truth, often: None) -> None:
    for number in range(20):
        await live_member(hub, truth, group=f"room.{number}")
    truth.comparisons.clear()
    await until(lambda: len(truth.comparisons) >= 2)
    assert sorted(truth.comparisons[1]) == sorted(f"room.{number}" for number in range(20))


@pytest.mark.slow
async def test_late_frames_are_not_read_from_the_database(hub: Hub, truth: Truth, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.1, "GAP_MS": 2000}
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    for position in range(1, 60):
        truth.position = position
        await asyncio.sleep(0.02)  # On the record, and not published yet: half of the comparisons come in between.
        await send(position)
    await until(lambda: "#59" in listener.got)
    assert len(truth.comparisons) > 10
    assert truth.reads == []


@pytest.mark.slow
async def test_after_a_loss_all_groups_are_compared_at_once(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await until(lambda: len(truth.comparisons) == 1)
    truth.position = 1
    began = asyncio.get_running_loop().time()
    hub.regained()
    await until(lambda: listener.got == ["#1"])
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_a_restored_record_resets_all_members(hub: Hub, truth: Truth, often: None) -> None:
    truth.epoch, truth.position = "one", 50
    listener, _ = await live_member(hub, truth, position=50, epoch="one")
    truth.epoch, truth.position = "two", 40
    await until(lambda: listener.is_closing)
    assert listener._closing == (1012, "Restored")


async def test_a_record_that_went_back_without_a_new_epoch_resets_all_members(
    hub: Hub, truth: Truth, often: None
) -> None:
    truth.position = 50
    listener, _ = await live_member(hub, truth, position=50)
    truth.position = 40
    await until(lambda: listener.is_closing)


async def test_a_group_whose_end_was_lost_ends_by_comparing(hub: Hub, truth: Truth, often: None) -> None:
    listener, _ = await live_member(hub, truth)
    truth.exists = False
    await until(lambda: listener.got == ["closed"])
    await until(lambda: hub.groups == [])


async def test_an_evicted_member_gets_that_and_nothing_after_it(hub: Hub, truth: Truth) -> None:
    listeners = {}
    for user_id in ("1", "2"):
        listeners[user_id] = Listener()
        member = await hub.join(GROUP, listeners[user_id], truth.recovery, user_id)
        hub.go_live(GROUP, member, 0)
    pending = await hub.join(GROUP, Listener(), truth.recovery, "1")
    await confirmed(hub, *listeners.values())
    await send(1)
    await get_channel_layer().group_send(GROUP, {"type": "hubbub.end", "group": GROUP, "text": "out", "evicted": ["1"]})
    await send(2)
    await until(lambda: "#2" in listeners["2"].got)
    assert [text for text in listeners["1"].got if text != "probe"] == ["#1", "out"]
    assert [text for text in listeners["2"].got if text != "probe"] == ["#1", "#2"]
    assert pending.is_evicted


async def test_each_evicted_socket_is_one_line_of_the_log_and_an_ended_one_is_none(
    runtime: Runtime, truth: Truth, caplog: pytest.LogCaptureFixture
) -> None:
    hub, sockets = runtime.hub, []
    for number in range(3):
        scope = {"client": (f"203.0.113.{number}", 4711)}
        told: list[str] = []
        sockets.append(
            SimpleNamespace(
                connection=f"web-1:{number}", outbox=Listener(), scope=scope, told=told, evicted=told.append
            )
        )
    joining, again, ended = sockets
    for socket in (again, ended):
        hub.go_live(GROUP, await hub.join(GROUP, socket.outbox, truth.recovery, "1", socket=socket), 0)
    # The first is not in yet; the second reads the state afresh.
    for socket in (joining, again):
        await hub.join(GROUP, socket.outbox, truth.recovery, "1", socket=socket)
    ended.outbox.close(4003, "Session ended")
    hub._dispatch({"type": "hubbub.end", "group": GROUP, "text": "out", "evicted": "all"})
    said = [record.getMessage() for record in caplog.records if record.name == "hubbub.security"]
    assert said == [f"evicted address=203.0.113.1 user=1 connection=web-1:1 '{GROUP}'"]
    assert [socket.told for socket in sockets] == [[], [GROUP], [GROUP]]
    await until(lambda: hub.groups == [])


async def test_sockets_get_notice_of_slow_updates_and_of_their_end(hub: Hub) -> None:
    listener = Listener()
    hub.service.add(listener)
    hub.lost()
    hub.regained()  # Nobody needs to hear of so short a loss.
    hub.lost()
    await until(lambda: len(listener.got) == 1)
    hub.regained()
    await until(lambda: len(listener.got) == 2)
    assert ["degraded" in text for text in listener.got] == [True, False]
    assert hub.service.state == "ok"
    hub.service.remove(listener)


async def test_a_position_that_is_named_before_the_first_state_is_remembered(hub: Hub, truth: Truth) -> None:
    listener, before = Listener(), len(truth.comparisons)
    member = await hub.join(GROUP, listener, truth.recovery)
    # The member has read the state at 3; the next change is published before its answer is sent.
    truth.position = 4
    hub._dispatch({"type": "hubbub.reached", "group": GROUP, "position": 4})
    hub.go_live(GROUP, member, 3)
    await until(lambda: listener.got == ["#4"])
    assert len(truth.comparisons) == before
