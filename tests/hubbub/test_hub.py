"""The hub on a real Redis: in order, none twice, none left out; groups free themselves."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer
from msgspec.structs import replace

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.hub import Hub
from hubbub.process.pacing import WRITES_PER_TURN
from tests.support.hubs import GROUP, Listener, Truth, confirmed, live_member, send, until


async def test_a_frame_reaches_every_live_member_once(hub: Hub, truth: Truth) -> None:
    listeners = [(await live_member(hub, truth))[0] for _ in range(10)]
    await confirmed(hub, *listeners)
    await send(1)
    await send(2)
    await until(lambda: all(one.got[-1:] == ["#2"] for one in listeners))
    assert all([text for text in one.got if text != "probe"] == ["#1", "#2"] for one in listeners)


async def test_swapped_frames_are_put_in_order_without_reading_the_database(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    for position in (2, 1, 4, 5, 3):
        await send(position)
    await until(lambda: "#5" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#1", "#2", "#3", "#4", "#5"]
    assert truth.reads == []


async def test_a_repeated_frame_is_dropped(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    for position in (1, 1, 2, 1, 2, 3):
        await send(position)
    await until(lambda: "#3" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#1", "#2", "#3"]


async def test_a_lost_frame_is_read_from_the_database_once_for_all_members(hub: Hub, truth: Truth) -> None:
    listeners = [(await live_member(hub, truth))[0] for _ in range(5)]
    await confirmed(hub, *listeners)
    truth.position = 4
    await send(1)
    await send(4)
    await until(lambda: all("#4" in one.got for one in listeners))
    for listener in listeners:
        assert [text for text in listener.got if text != "probe"] == ["#1", "#2", "#3", "#4"]
    assert truth.reads == [1]


@pytest.mark.slow
async def test_a_repair_that_fails_is_tried_again(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    truth.position, truth.failures = 2, 1
    await send(2)
    await until(lambda: "#2" in listener.got)
    assert truth.reads == [0, 0]


async def test_what_comes_during_a_join_is_kept_and_sent_after_the_answer(hub: Hub, truth: Truth) -> None:
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    await send(1)
    await until(lambda: "#1" in first.got)

    joining = Listener()
    member = await hub.join(GROUP, joining, truth.recovery)
    for position in (2, 3, 4):
        await send(position)
    await until(lambda: "#4" in first.got)
    assert joining.got == []

    joining.put("answer at 3")
    hub.go_live(GROUP, member, 3)
    assert joining.got == ["answer at 3", "#4"]
    await send(5)
    await until(lambda: "#5" in joining.got)
    assert joining.got == ["answer at 3", "#4", "#5"]


async def test_a_member_that_read_more_than_the_hub_has_had_is_told_nothing_twice(hub: Hub, truth: Truth) -> None:
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    ahead, _ = await live_member(hub, truth, position=3)
    for position in (1, 2, 3, 4):
        await send(position)
    await until(lambda: "#4" in ahead.got)
    assert [text for text in ahead.got if text != "probe"] == ["#4"]
    assert [text for text in first.got if text != "probe"] == ["#1", "#2", "#3", "#4"]


async def test_a_join_that_too_much_comes_into_is_marked(hub: Hub, truth: Truth, settings: Any) -> None:
    settings.HUBBUB = replace(conf.settings(), pending_events=16)
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    joining = Listener()
    member = await hub.join(GROUP, joining, truth.recovery)
    for position in range(1, 30):
        await send(position)
    await until(lambda: "#29" in first.got)
    assert member.overflowed
    hub.leave(GROUP, member)
    member = await hub.join(GROUP, joining, truth.recovery)
    assert not member.overflowed
    hub.go_live(GROUP, member, 29)
    await send(30)
    await until(lambda: "#30" in joining.got)
    assert joining.got == ["#30"]


async def test_of_two_who_come_first_the_one_who_read_less_has_to_read_again(hub: Hub, truth: Truth) -> None:
    earlier, later = Listener(), Listener()
    early = await hub.join(GROUP, earlier, truth.recovery)
    late = await hub.join(GROUP, later, truth.recovery)
    # The first has read the state at 0; then two changes were made, and the second has read the state at 2.
    truth.position = 2
    assert hub.has_everything_after(GROUP, late, 2)
    hub.go_live(GROUP, late, 2)
    assert not hub.has_everything_after(GROUP, early, 0)
    hub.leave(GROUP, early)
    early = await hub.join(GROUP, earlier, truth.recovery)
    assert hub.has_everything_after(GROUP, early, 2)
    truth.position = 3
    hub._dispatch({"type": "hubbub.frame", "group": GROUP, "position": 3, "text": "#3"})
    await until(lambda: later.got == ["#3"])
    # What came since it entered was kept, whatever it has read meanwhile.
    assert hub.has_everything_after(GROUP, early, 2)
    hub.go_live(GROUP, early, 2)
    assert earlier.got == ["#3"]


async def test_what_was_read_before_the_group_s_present_state_has_to_be_read_again(hub: Hub, truth: Truth) -> None:
    """Say, from a replica that is behind."""
    await live_member(hub, truth, position=5)
    member = await hub.join(GROUP, Listener(), truth.recovery)
    assert not hub.has_everything_after(GROUP, member, 4)
    assert hub.has_everything_after(GROUP, member, 5)
    assert hub.has_everything_after(GROUP, member, 6)


async def test_of_versions_only_newer_ones_pass(hub: Hub) -> None:
    listener, _ = await live_member(hub)
    await confirmed(hub, listener)
    for version in (5, 4, 5):
        await send(text=f"sample {version}", version=version)
    await send(text="after")
    await until(lambda: "after" in listener.got)
    assert listener._latest == {GROUP: "sample 5"}


async def test_a_group_frees_itself_when_its_last_member_leaves(hub: Hub, truth: Truth) -> None:
    (one, first), (_, second) = await live_member(hub, truth), await live_member(hub, truth)
    await confirmed(hub, one)
    assert hub.groups == [GROUP]
    hub.leave(GROUP, first)
    assert hub.groups == [GROUP]
    hub.leave(GROUP, second)
    await until(lambda: hub.groups == [])
    groups = get_channel_layer()._get_layer().groups
    assert not [name for name in groups if name.endswith(GROUP)]


async def test_leaving_and_joining_at_once_ends_subscribed(hub: Hub, truth: Truth) -> None:
    _, member = await live_member(hub, truth)
    for _ in range(50):
        hub.leave(GROUP, member)
        await asyncio.sleep(0)
        listener, member = await live_member(hub, truth)
    await confirmed(hub, listener)


async def test_a_cancelled_join_leaves_nothing_behind(hub: Hub, truth: Truth) -> None:
    joining = asyncio.create_task(hub.join(GROUP, Listener(), truth.recovery))
    await asyncio.sleep(0)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await until(lambda: hub.groups == [])


@pytest.mark.slow
async def test_an_idle_hub_lives_longer_than_the_time_limits_of_redis(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    # redis-py's own limit of 5 s on a socket has ended connections that only listen.
    await asyncio.sleep(conf.settings().layer_timeout_seconds + 1.5)
    await send(1)
    await until(lambda: "#1" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#1"]


# After trouble


async def test_a_message_that_is_no_frame_does_not_make_the_process_deaf(hub: Hub, truth: Truth, caplog: Any) -> None:
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


async def test_what_cannot_even_be_read_does_not_make_the_process_deaf(hub: Hub, truth: Truth) -> None:
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


async def test_what_was_missed_before_a_late_subscription_is_read_when_it_stands(
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


async def test_who_joins_again_in_the_middle_of_a_delivery_is_told_nothing_twice(hub: Hub, truth: Truth) -> None:
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
    # What it has is of another room: no comparison will find that any more.
    assert old._closing == (1012, "Restored")
    assert not new.is_closing


async def test_an_event_without_a_position_reaches_those_who_are_just_joining(hub: Hub, truth: Truth) -> None:
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


class CountingListener(Listener):
    """Keeps how many frames came in each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        self.writes.append(len(frames.texts))
        super().put_frames(frames, latest)


async def test_what_comes_together_goes_out_in_one_write(hub: Hub, truth: Truth) -> None:
    listener = CountingListener()
    hub.go_live(GROUP, await hub.join(GROUP, listener, truth.recovery), 0)
    ahead = CountingListener()
    hub.go_live(GROUP, await hub.join(GROUP, ahead, truth.recovery), 3)
    await confirmed(hub, listener, ahead)
    listener.writes.clear()
    ahead.writes.clear()
    await get_channel_layer().group_send(
        GROUP, {"type": "hubbub.frames", "group": GROUP, "frames": [(at, f"#{at}") for at in range(1, 9)]}
    )
    await until(lambda: "#8" in listener.got and "#8" in ahead.got)
    assert [text for text in listener.got if text != "probe"] == [f"#{at}" for at in range(1, 9)]
    # Who had been told three already is live from the fourth on.
    assert [text for text in ahead.got if text != "probe"] == [f"#{at}" for at in range(4, 9)]
    assert [one for one in listener.writes if one > 1] == [3, 5]
    assert [one for one in ahead.writes if one > 1] == [5]
