"""The hub after trouble: bad messages, slow subscriptions, long repairs, joins during a delivery."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub.delivery.hub import Hub
from hubbub.process.pacing import WRITES_PER_TURN
from tests.support.hubs import GROUP, Listener, Truth, confirmed, live_member, send, until


async def test_a_message_that_is_no_frame_does_not_stop_the_hub(hub: Hub, truth: Truth, caplog: Any) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    layer = get_channel_layer()
    for odd in (
        {"type": "other.release"},
        {"type": "hubbub.frame", "group": GROUP},
        {"type": "hubbub.frames", "group": GROUP, "frames": 7},
    ):
        await layer.group_send(GROUP, odd)
    await send(1)
    await until(lambda: "#1" in listener.got)
    assert caplog.text.count("dropped") == 1


async def test_a_garbled_message_does_not_stop_the_hub(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    layer = get_channel_layer()._get_layer()
    name = layer._get_group_channel_name(GROUP)
    await layer._get_shard(name).publish(name, b"\xc1")  # A byte that MessagePack never uses.
    await send(1)
    await until(lambda: "#1" in listener.got)


@pytest.mark.slow
async def test_a_channel_that_opens_slowly_is_opened_once(
    hub: Hub, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    new_channel = hub._layer.new_channel

    async def slowly() -> str:
        opened.append(1)
        await asyncio.sleep(1.5)  # Longer than until the hub tries again.
        name: str = await new_channel()
        return name

    monkeypatch.setattr(hub._layer, "new_channel", slowly)
    began = asyncio.get_running_loop().time()
    listener, _ = await live_member(hub, truth)
    # No join waits that long.
    assert asyncio.get_running_loop().time() - began < 1.2
    await confirmed(hub, listener)
    assert len(opened) == 1


async def test_frames_missed_before_a_late_subscription_are_read(
    hub: Hub, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    group_add = hub._layer.group_add

    async def late(*args: Any) -> None:
        await release.wait()
        await group_add(*args)

    monkeypatch.setattr(hub._layer, "group_add", late)
    listener, _ = await live_member(hub, truth)
    truth.position = 3
    release.set()
    await until(lambda: "#3" in listener.got)
    assert listener.got == ["#1", "#2", "#3"]


async def test_a_long_repair_comes_in_parts(hub: Hub, truth: Truth) -> None:
    truth.at_a_time = 10
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    truth.position = 95
    await send(95)
    await until(lambda: "#95" in listener.got)
    assert [text for text in listener.got if text != "probe"] == [f"#{at}" for at in range(1, 96)]
    assert truth.reads == list(range(0, 95, 10))


async def test_a_second_join_in_the_middle_of_a_delivery_repeats_nothing(hub: Hub, truth: Truth) -> None:
    members = [await live_member(hub, truth) for _ in range(WRITES_PER_TURN + 200)]
    await confirmed(hub, members[0][0])
    listener, member = members[-1]
    listener._frames.clear()
    await send(1)
    while "#1" not in members[0][0].got:
        await asyncio.sleep(0)
    # The last slice is still to come.
    assert "#1" not in listener.got
    again = await hub.join(GROUP, listener, truth.recovery)
    hub.leave(GROUP, member)
    hub.go_live(GROUP, again, 1)
    await send(2)
    await until(lambda: "#2" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#2"]


async def test_a_room_made_again_under_the_same_name_begins_anew(hub: Hub, truth: Truth) -> None:
    old, _ = await live_member(hub, truth, position=50, epoch="one")
    await confirmed(hub, old)
    new, _ = await live_member(hub, truth, position=0, epoch="two")
    await send(1)
    await send(2)
    await until(lambda: "#2" in new.got)
    assert [text for text in new.got if text != "probe"] == ["#1", "#2"]
    # Its state is of another room: no comparison would find that.
    assert old._closing == (1012, "Restored")
    assert not new.is_closing


async def test_an_event_without_a_position_reaches_pending_members(hub: Hub, truth: Truth) -> None:
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    ahead, _ = await live_member(hub, truth, position=9)
    pending = Listener()
    member = await hub.join(GROUP, pending, truth.recovery)
    await send(text="closed")
    await until(lambda: "closed" in first.got and "closed" in ahead.got)
    hub.go_live(GROUP, member, 100)
    assert [text for text in pending.got if text != "probe"] == ["closed"]


async def test_a_batch_of_many_frames_lets_the_loop_go_on(hub: Hub, truth: Truth) -> None:
    listeners = [(await live_member(hub, truth))[0] for _ in range(300)]
    await confirmed(hub, listeners[0])
    truth.position = 100  # On a busy machine, positions are compared with it before the frames have all come.
    turns_meanwhile = 0
    await get_channel_layer().group_send(
        GROUP,
        {"type": "hubbub.frames", "group": GROUP, "frames": [(at, f"#{at}" + " " * 10_000) for at in range(1, 101)]},
    )
    while not any("#1 " in text for text in listeners[0].got):
        await asyncio.sleep(0)
    while not any("#100 " in text for text in listeners[-1].got):
        turns_meanwhile += 1
        await asyncio.sleep(0)
    assert turns_meanwhile > 20
    assert [text.rstrip() for text in listeners[-1].got if text != "probe"] == [f"#{at}" for at in range(1, 101)]
