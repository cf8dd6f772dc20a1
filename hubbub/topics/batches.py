"""Commands with a batch: calls that arrive while a transaction runs share the next one. A single call runs at once.

Each call has its own answer. A call that is cancelled before its transaction begins has no effect.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hubbub import conf, threads
from hubbub.auth.identity import Identity
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import Refused
from hubbub.topics import batch_calls, pools
from hubbub.topics.batch_calls import Call
from hubbub.topics.commands import CommandSpec
from hubbub.topics.interface import LiveTopic


@dataclass(slots=True, eq=False)
class QueuedCall:
    call: Call
    # Cancelled when its command has ended.
    result: "asyncio.Future[Any]"


class Batcher:
    """The batches of one command in one event loop. It has no task: the end of a batch starts the next.

    Args:
        name: of the topics.
        spec: a command with a batch.
    """

    def __init__(self, name: str, spec: CommandSpec) -> None:
        self._name = name
        self._spec = spec
        self._queue: deque[QueuedCall] = deque()
        self._is_running = False

    async def run(self, call: Call) -> Any:
        """Run the call in a batch. The command's deadline cancels the wait.

        Returns:
            The encoded result; None: there is none.

        Raises:
            Refused: by the method; `unavailable` if it is unknown whether the call had its effect.
        """
        if len(self._queue) >= conf.settings().max_queued_jobs:
            raise threads.refused_unavailable()
        loop = asyncio.get_running_loop()
        queued = QueuedCall(call, loop.create_future())
        self._queue.append(queued)
        if not self._is_running:
            self._is_running = True
            loop.call_soon(self._run_next)  # Calls of the same turn of the loop share the batch.
        result = await queued.result
        if isinstance(result, Refused):
            raise result
        return result

    def _run_next(self) -> None:
        """Start the next batch of calls that still wait for their result."""
        batch: list[QueuedCall] = []
        while self._queue and len(batch) < self._spec.batch:
            queued = self._queue.popleft()
            if not queued.result.done():
                batch.append(queued)
        self._is_running = bool(batch)
        if not batch:
            return
        calls: list[tuple[Call, Callable[[], bool]]] = [(queued.call, queued.result.cancelled) for queued in batch]
        try:
            running = pools.writers().start(self._name, batch_calls.run_uncancelled, self._spec, calls)
        except Refused as refused:
            _fail(batch, refused)
            self._run_next()
        else:
            running.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: list[QueuedCall], running: "asyncio.Future[list[Any]]") -> None:
        if running.cancelled():
            _fail(batch, threads.refused_unavailable())
        elif (error := running.exception()) is not None:
            _fail(batch, error)
        else:
            for queued, result in zip(batch, running.result(), strict=True):
                if not queued.result.done():
                    queued.result.set_result(result)
        self._run_next()


def _fail(batch: list[QueuedCall], error: BaseException) -> None:
    """Raise the error in the command of each call, which answers and logs it."""
    for queued in batch:
        if not queued.result.done():
            queued.result.set_exception(error)


async def run_from_wire(topic: LiveTopic, spec: CommandSpec, arguments: Any, identity: Identity) -> Any:
    """Run a call of a client. Returns and raises as `Batcher.run`."""
    batchers, name = _batchers(), (topic.name, spec.name)
    if (batcher := batchers.get(name)) is None:
        batcher = batchers[name] = Batcher(topic.name, spec)
    return await batcher.run(Call(topic, identity.user_id, identity, arguments))


# By the names of topic and command: a base class may have the method of two topics.
_batchers: PerLoop[dict[tuple[str, str], Batcher]] = PerLoop(dict)
