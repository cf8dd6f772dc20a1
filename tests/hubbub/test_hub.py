"""The hub on a real Redis: in order, none twice, none left out; groups free themselves."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.hub import Hub
from tests.support.hubs import GROUP, Listener, Truth, confirmed, live_member, send, until


async def test_a_frame_reaches_every_live_member_once(hub: Hub, truth: Truth) -> None:
    listeners = [(await live_member(hub, truth))[0] for _ in range(10)]
    await confirmed(hub, *listeners)
    await send(1)
    await send(2)
    await until(lambda: all(listener.got[-1:] == ["#2"] for listener in listeners))
    assert all([text for text in listener.got if text != "probe"] == ["#1", "#2"] for listener in listeners)


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
    await until(lambda: all("#4" in listener.got for listener in listeners))
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


async def test_events_during_a_join_are_sent_after_the_answer(hub: Hub, truth: Truth) -> None:
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


async def test_a_member_ahead_of_the_hub_gets_nothing_twice(hub: Hub, truth: Truth) -> None:
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    ahead, _ = await live_member(hub, truth, position=3)
    for position in (1, 2, 3, 4):
        await send(position)
    await until(lambda: "#4" in ahead.got)
    assert [text for text in ahead.got if text != "probe"] == ["#4"]
    assert [text for text in first.got if text != "probe"] == ["#1", "#2", "#3", "#4"]


async def test_a_join_with_an_overflowing_backlog_is_marked(hub: Hub, truth: Truth, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"PENDING_EVENTS": 16}
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


async def test_of_two_first_members_the_older_state_is_read_again(hub: Hub, truth: Truth) -> None:
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
    # The backlog has all events since it entered.
    assert hub.has_everything_after(GROUP, early, 2)
    hub.go_live(GROUP, early, 2)
    assert earlier.got == ["#3"]


async def test_a_state_older_than_the_groups_is_read_again(hub: Hub, truth: Truth) -> None:
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
    (listener, first), (_, second) = await live_member(hub, truth), await live_member(hub, truth)
    await confirmed(hub, listener)
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


class CountingListener(Listener):
    """Keeps how many frames came in each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        self.writes.append(len(frames.texts))
        super().put_frames(frames, latest)


async def test_frames_that_arrive_together_go_out_in_one_write(hub: Hub, truth: Truth) -> None:
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
    # The member with three frames is live from the fourth on.
    assert [text for text in ahead.got if text != "probe"] == [f"#{at}" for at in range(4, 9)]
    assert [write for write in listener.writes if write > 1] == [3, 5]
    assert [write for write in ahead.writes if write > 1] == [5]
