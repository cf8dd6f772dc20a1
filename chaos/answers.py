"""The answers that a client waits for, by the `ref` of the command."""

import asyncio
import itertools

from chaos.view import Frame


class SocketLost(Exception):
    """The socket ended before the answer arrived."""


class Answers:
    """The answers due on one socket. An answer stays due when the caller is cancelled."""

    def __init__(self) -> None:
        self._refs = itertools.count(1)
        self._due: dict[int, asyncio.Future[Frame]] = {}

    def next_ref(self) -> int:
        return next(self._refs)

    def expect(self) -> "tuple[int, asyncio.Future[Frame]]":
        """A new ref, and its answer."""
        ref = self.next_ref()
        answer = self._due[ref] = asyncio.get_running_loop().create_future()
        return ref, answer

    def take(self, frame: Frame) -> bool:
        """Take an answer. False: none was due with this ref."""
        answer = self._due.pop(frame.get("ref", 0), None)
        if answer is not None and not answer.done():
            answer.set_result(frame)
        return answer is not None

    def drop(self, ref: int) -> None:
        """Expect this answer no longer: the command was not sent."""
        answer = self._due.pop(ref, None)
        # The answer may have been failed together with its socket.
        if answer is not None and not answer.cancel():
            answer.exception()

    def fail(self) -> None:
        """The socket ended: fail all answers with SocketLost."""
        for answer in self._due.values():
            if not answer.done():
                answer.set_exception(SocketLost())
                answer.exception()  # Mark it as retrieved: a cancelled caller does not await it.
        self._due.clear()
