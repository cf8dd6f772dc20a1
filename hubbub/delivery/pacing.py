"""How much may be written before the event loop gets a turn. A leaf."""

import asyncio

# One to four milliseconds' worth.
WRITES_PER_TURN = 400


class WriteBudget:
    """How much was written since the event loop last had a turn."""

    def __init__(self) -> None:
        self._writes = 0

    def has_room_for(self, writes: int) -> bool:
        if self._writes == 0:
            asyncio.get_running_loop().call_soon(self._end)
        self._writes += max(1, writes)
        return self._writes <= WRITES_PER_TURN

    def _end(self) -> None:
        self._writes = 0
