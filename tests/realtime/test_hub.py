"""The hub on a real Redis: in order, none twice, none left out; groups free themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from channels.layers import get_channel_layer

from realtime import conf
from realtime.hub import Hub
from realtime.outbox import AsgiOutbox

GROUP = "room.general"


class Listener(AsgiOutbox):
    """An outbox whose frames are read by the test."""

    def __init__(self) -> None:
        async def send(_: dict[str, Any]) -> None:
            raise AssertionError("nothing runs this outbox")

        super().__init__(send, abort=lambda: None)

    @property
    def got(self) -> list[str]:
        return list(self._frames)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Truth:
    """What the database would say: a room's changes."""

    def __init__(self) -> None:
        self.position = 0
        self.reads: list[int] = []
        self.failures = 0

    async def repair(self, group: str, after: int) -> tuple[int, list[tuple[int, str]]]:
        self.reads.append(after)
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        return self.position, [(at, f"#{at}") for at in range(after + 1, self.position + 1)]


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    one = Hub()
    yield one
    await one.close()
    await get_channel_layer().flush()


async def send(position: int | None = None, text: str | None = None, group: str = GROUP, **more: Any) -> None:
    message = {"type": "realtime.frame", "group": group, "text": text or f"#{position}", **more}
    if position is not None:
        message["position"] = position
    await get_channel_layer().group_send(group, message)


async def live_member(hub: Hub, truth: Truth | None = None, position: int = 0, group: str = GROUP) -> Any:
    listener = Listener()
    member = await hub.join(group, listener, truth.repair if truth else None)
    hub.go_live(group, member, position)
    return listener, member


async def confirmed(hub: Hub, *listeners: Listener) -> None:
    """Redis confirms subscriptions later than `join` returns: wait until frames come through."""
    async with asyncio.timeout(5):
        while not all(any("probe" in one for one in listener.got) for listener in listeners):
            await send(text="probe")
            await asyncio.sleep(0.01)
    for listener in listeners:
        listener._frames.clear()


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
    member = await hub.join(GROUP, joining, truth.repair)
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
    settings.REALTIME = replace(conf.settings(), pending_events=16)
    first, _ = await live_member(hub, truth)
    await confirmed(hub, first)
    joining = Listener()
    member = await hub.join(GROUP, joining, truth.repair)
    for position in range(1, 30):
        await send(position)
    await until(lambda: "#29" in first.got)
    assert member.overflowed
    hub.rejoin(GROUP, member)
    assert not member.overflowed
    hub.go_live(GROUP, member, 29)
    await send(30)
    await until(lambda: "#30" in joining.got)
    assert joining.got == ["#30"]


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
    await hub.leave(GROUP, first)
    assert hub.groups == [GROUP]
    await hub.leave(GROUP, second)
    assert hub.groups == []
    assert get_channel_layer()._get_layer().groups == {}


async def test_leaving_and_joining_at_once_ends_subscribed(hub: Hub, truth: Truth) -> None:
    _, member = await live_member(hub, truth)
    for _ in range(50):
        leaving = asyncio.create_task(hub.leave(GROUP, member))
        await asyncio.sleep(0)
        listener, member = await live_member(hub, truth)
        await leaving
    await confirmed(hub, listener)


async def test_a_cancelled_join_leaves_nothing_behind(hub: Hub, truth: Truth) -> None:
    joining = asyncio.create_task(hub.join(GROUP, Listener(), truth.repair))
    await asyncio.sleep(0)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await until(lambda: hub.groups == [])


async def test_an_idle_hub_lives_longer_than_the_time_limits_of_redis(hub: Hub, truth: Truth) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    # redis-py's own limit of 5 s on a socket has ended connections that only listen.
    await asyncio.sleep(conf.settings().layer_timeout_seconds + 1.5)
    await send(1)
    await until(lambda: "#1" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#1"]
