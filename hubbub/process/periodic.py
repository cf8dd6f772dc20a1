"""A loop that runs every few seconds or when woken, and survives errors. A leaf."""

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from hubbub.process.log_once import LogOnce
from hubbub.process.redis_errors import cause_of

# A service that is away. Any other error is a bug and is logged with its traceback.
AWAY = (RedisError, OSError)


class Periodic:
    """Rounds of one coroutine function, in one event loop, one at a time.

    Args:
        run: one round. When it raises, the error is logged once per outage and the next round runs when it is due.
        seconds: from the start of a round to the start of the next; a function is asked after each round.
        log: the log lines of an outage.
        quiet: errors that another component has logged.
        pause_seconds: the shortest time from the end of a round to the next, however often `wake` is called.
    """

    def __init__(
        self,
        run: Callable[[], Awaitable[object]],
        *,
        seconds: float | Callable[[], float],
        log: LogOnce,
        quiet: tuple[type[Exception], ...] = (),
        pause_seconds: float = 0.0,
    ) -> None:
        self._run = run
        self._seconds = seconds
        self._log = log
        self._quiet = quiet
        self._pause_seconds = pause_seconds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Run the next round now. A call during a round causes another one after it."""
        self._woken.set()

    async def run(self) -> None:
        """Run rounds until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._woken.clear()
            await self._run_once()
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
            seconds = self._seconds() if callable(self._seconds) else self._seconds
            try:
                async with asyncio.timeout_at(began + seconds):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _run_once(self) -> None:
        try:
            await self._run()
        except self._quiet:
            pass
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            self._log.failed(cause_of(error), with_traceback=not isinstance(error, AWAY))
        else:
            self._log.recovered()
