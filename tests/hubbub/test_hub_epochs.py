"""Positions of another epoch are void: no answer of an old epoch is applied to a new one."""

import asyncio
import itertools
from typing import Any

import pytest

from hubbub.delivery.hub import Hub
from hubbub.delivery.recovery import Changes, Recovery, StreamPosition
from tests.support.hubs import GROUP, Listener, confirmed, live_member, send, until


class SlowRecord:
    """A record that computes answers at once, and delivers them when the test allows."""

    def __init__(self) -> None:
        self.epoch, self.position = "one", 50
        self.repairs: list[asyncio.Future[None]] = []
        self.comparisons: list[asyncio.Future[None]] = []
        self.is_slow = False
        self.recovery = Recovery(self.changes, self.standings)

    async def changes(self, group: str, after: int) -> Changes:
        frames = [(at, f"{self.epoch}#{at}") for at in range(after + 1, self.position + 1)]
        answer = Changes(self.position, frames, epoch=self.epoch)
        await self._held(self.repairs)
        return answer

    async def standings(self, groups: list[str]) -> dict[str, StreamPosition]:
        answer = {group: StreamPosition(self.epoch, self.position) for group in groups}
        await self._held(self.comparisons)
        return answer

    def renew(self, epoch: str, position: int) -> None:
        self.epoch, self.position = epoch, position

    async def _held(self, waiting: list[asyncio.Future[None]]) -> None:
        if self.is_slow:
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[-1]

    def let_go(self, waiting: list[asyncio.Future[None]]) -> None:
        self.is_slow = False
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


@pytest.fixture
def record(settings: Any) -> SlowRecord:
    settings.HUBBUB = settings.HUBBUB | {"GAP_MS": 5, "RECONCILE_SECONDS": 60}
    return SlowRecord()


async def member_at(hub: Hub, record: SlowRecord) -> Listener:
    listener: Listener
    listener, _ = await live_member(hub, record, record.position, epoch=record.epoch)  # type: ignore[arg-type]
    return listener


def received(listener: Listener) -> list[str]:
    return [text for text in listener.got if text != "probe"]


async def test_a_repair_under_way_when_the_rooms_epoch_changes_is_dropped(hub: Hub, record: SlowRecord) -> None:
    old = await member_at(hub, record)
    await confirmed(hub, old)
    record.position, record.is_slow = 52, True
    await send(52, "one#52")
    await until(lambda: len(record.repairs) == 1)
    # The room is made anew, somebody reads its state, and the old answer comes after that.
    record.renew("two", 50)
    record.is_slow = False
    new = await member_at(hub, record)
    record.let_go(record.repairs)
    await asyncio.sleep(0.02)
    record.position = 52
    for position in (51, 52):
        await send(position, f"two#{position}")
    await until(lambda: "two#52" in new.got)
    assert received(new) == ["two#51", "two#52"]
    assert old._closing == (1012, "Restored")
    assert not new.is_closing


async def test_a_repair_of_another_epoch_is_dropped(hub: Hub, record: SlowRecord) -> None:
    old = await member_at(hub, record)
    await confirmed(hub, old)
    record.renew("two", 60)  # Restored, and used again, before any comparison was made.
    await send(60, "two#60")
    await until(lambda: old.is_closing)
    assert received(old) == []
    new = await member_at(hub, record)
    record.position = 61
    await send(61, "two#61")
    await until(lambda: received(new) == ["two#61"])


async def test_a_room_that_was_deleted_while_its_repair_was_under_way_and_made_again_stays_open(
    hub: Hub, record: SlowRecord
) -> None:
    old = await member_at(hub, record)
    await confirmed(hub, old)
    asked, answer = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def deleted(group: str, after: int) -> Changes:
        asked.set()
        await answer
        return Changes(after, [], closed="closed")

    group: Any = hub._subscriptions[GROUP].group
    group.sequence.recovery = Recovery(deleted, record.standings)
    await send(52, "one#52")
    await asked.wait()
    record.renew("two", 0)
    new = await member_at(hub, record)
    answer.set_result(None)
    await send(1, "two#1")
    await until(lambda: received(new) == ["two#1"])


async def test_a_comparison_of_the_old_epoch_does_not_affect_the_new_one(hub: Hub, record: SlowRecord) -> None:
    old = await member_at(hub, record)
    await confirmed(hub, old)
    record.is_slow, record.position = True, 90
    record.comparisons.clear()
    hub._reconciler.wake()
    await until(lambda: len(record.comparisons) == 1)
    record.renew("two", 3)
    record.is_slow = False
    new = await member_at(hub, record)
    record.let_go(record.comparisons)
    await asyncio.sleep(0.05)
    assert not new.is_closing
    # Nor is the record read for positions up to 90 that will never be.
    assert record.repairs == []
    assert not hub._subscriptions[GROUP].group.sequence.is_incomplete


async def test_a_record_that_went_back_is_found_once_though_two_comparisons_saw_it(
    hub: Hub, record: SlowRecord, caplog: pytest.LogCaptureFixture
) -> None:
    await member_at(hub, record)
    group: Any = hub._subscriptions[GROUP].group
    position = group.sequence.local
    assert position is not None
    record.position = 40
    group.sequence.compare(position, StreamPosition("one", 40))
    fresh = await member_at(hub, record)
    group.sequence.compare(position, StreamPosition("one", 40))
    assert not fresh.is_closing
    assert caplog.text.count("closed to reconnect") == 1


STEPS = ("repair answers", "comparison answers", "somebody joins", "frames come")


@pytest.mark.slow
@pytest.mark.parametrize("order", [*itertools.permutations(STEPS)], ids="; ".join)
@pytest.mark.parametrize("epoch", ["one", "two"], ids=["restored", "renewed"])
async def test_members_see_one_epoch_in_every_order_of_discovery(
    hub: Hub, record: SlowRecord, order: tuple[str, ...], epoch: str
) -> None:
    record.epoch, record.position = "one", 50
    old = await member_at(hub, record)
    await confirmed(hub, old)
    record.comparisons.clear()
    record.position, record.is_slow = 52, True
    await send(52, "one#52")
    await until(lambda: len(record.repairs) == 1)
    hub._reconciler.wake()
    await until(lambda: len(record.comparisons) == 1)
    record.renew(epoch, 20)
    new: Listener | None = None
    for step in order:
        match step:
            case "repair answers":
                record.let_go(record.repairs)
            case "comparison answers":
                record.let_go(record.comparisons)
            case "somebody joins":
                new = await member_at(hub, record)
            case "frames come":
                record.position += 1
                await send(record.position, f"{epoch}*{record.position}")
        record.is_slow = False
        await asyncio.sleep(0.02)
    # A present comparison finds all remains of the old epoch.
    hub._reconciler.wake()
    await until(lambda: old.is_closing)
    assert new is not None
    if new.is_closing:
        new = await member_at(hub, record)
    record.position += 1
    await send(record.position, f"{epoch}*{record.position}")
    # Over Redis, or from the record when that was quicker.
    last = {f"{epoch}{mark}{record.position}" for mark in "*#"}
    await until(lambda: bool(last & {*received(new)}))
    assert len(set(received(new))) == len(received(new))
    assert all("#51" not in text and "#52" not in text for text in received(new))
