"""One read for all who ask at the same time. A leaf."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedRead(Generic[T]):
    """Reads in one event loop, one after another; each caller gets a read that began after its call."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._begun = 0
        self._value: T | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> T:
        """Read, or get what another caller has read since the call. Raises what `read` raises."""
        begun = self._begun
        async with self._lock:
            if self._begun == begun or self._value is None:
                self._begun += 1
                self._value = None
                self._value = await self._read()
            return self._value
