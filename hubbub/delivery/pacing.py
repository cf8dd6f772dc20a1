"""How many writes may happen before the event loop gets a turn. A leaf."""

import asyncio

# One to four milliseconds of work.
WRITES_PER_TURN = 400


class WriteBudget:
    """Counts writes since the event loop last had a turn."""

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
