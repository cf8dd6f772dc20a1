"""Long work gives the event loop a turn between its slices, and only there."""

import asyncio
from collections.abc import Awaitable, Callable

from hubbub.process.pacing import WRITES_PER_TURN, Pace, WriteBudget, in_slices, slices


async def turns_during(work: Callable[[], Awaitable[None]]) -> int:
    """The turns of the event loop until the work has ended."""
    turns = 0
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


def test_slices_have_every_item_once_in_order() -> None:
    assert [*slices(range(5), 2)] == [range(0, 2), range(2, 4), range(4, 5)]
    assert [*slices("abcd", 2)] == ["ab", "cd"]
    assert [*slices([], 2)] == []


async def test_a_write_to_many_receivers_gives_a_turn_after_each_slice() -> None:
    written: list[list[int]] = []

    async def write() -> None:
        async for part in in_slices(range(2 * WRITES_PER_TURN + 1)):
            written.append([*part])

    assert await turns_during(write) == 3
    assert [len(part) for part in written] == [WRITES_PER_TURN, WRITES_PER_TURN, 1]
    assert [item for part in written for item in part] == [*range(2 * WRITES_PER_TURN + 1)]


async def test_a_pace_gives_a_turn_only_when_enough_has_been_done() -> None:
    async def work(*portions: int) -> None:
        pace = Pace(10)
        for portion in portions:
            await pace.did(portion)

    assert await turns_during(lambda: work(9)) == 0
    assert await turns_during(lambda: work(9, 1)) == 1
    assert await turns_during(lambda: work(*[1] * 30)) == 3
    assert await turns_during(lambda: work(100, 9)) == 1


async def test_a_budget_has_room_again_after_a_turn() -> None:
    budget = WriteBudget()
    assert budget.has_room_for(WRITES_PER_TURN)
    assert not budget.has_room_for(1)
    await asyncio.sleep(0)
    assert budget.has_room_for(WRITES_PER_TURN - 1)
    assert budget.has_room_for(0)
    assert not budget.has_room_for(0)
