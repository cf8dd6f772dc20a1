"""One object per event loop, made when it is first asked for. A leaf."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Call it in an event loop to get that loop's object. A server process has one loop, a test run has many.

    Args:
        make: makes the object, within the loop.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def __call__(self) -> T:
        loop = asyncio.get_running_loop()
        if (found := self._made.get(loop)) is None:
            found = self._made[loop] = self._make()
        return found
