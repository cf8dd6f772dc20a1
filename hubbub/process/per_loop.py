"""One object per event loop, made on first use. A leaf."""

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
        self._instances: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def __call__(self) -> T:
        loop = asyncio.get_running_loop()
        if (instance := self._instances.get(loop)) is None:
            instance = self._instances[loop] = self._make()
        return instance
