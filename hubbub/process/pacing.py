"""Long work in slices, with a turn of the event loop between them. A leaf."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# One to four milliseconds of work.
WRITES_PER_TURN = 400


async def give_turn() -> None:
    """Let the event loop run everything that is due."""
    await asyncio.sleep(0)


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


async def in_slices(receivers: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Slices of many receivers of one write, with a turn of the event loop after each."""
    for part in slices(receivers, WRITES_PER_TURN):
        yield part
        await give_turn()


class Pace:
    """Gives the event loop a turn each time that one task has done `per_turn` units of work."""

    __slots__ = ("_done", "_per_turn")

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._done = 0

    async def did(self, work: int) -> None:
        """Count the work, and give a turn if one is due."""
        self._done += work
        if self._done >= self._per_turn:
            self._done = 0
            await give_turn()


class WriteBudget:
    """Counts the writes of all tasks since the event loop last had a turn."""

    def __init__(self) -> None:
        self._writes = 0

    def has_room_for(self, writes: int) -> bool:
        """Count the writes. Returns whether they fit into this turn."""
        if self._writes == 0:
            asyncio.get_running_loop().call_soon(self._reset)
        self._writes += max(1, writes)
        return self._writes <= WRITES_PER_TURN

    def _reset(self) -> None:
        self._writes = 0
