"""The newest versioned frame of each group that Redis may have lost: sent again until Redis has been back. A leaf.

An ordered group is repaired from its record. A state has none: a lost frame would be missing until the next change.
"""

import asyncio
from collections.abc import Callable, Iterable

from hubbub.publish.messages import Message, OneFrame

RESEND_SECONDS = 1.0
# Subscribers reconnect within 0.2 s, or 4 s after a hung connection; the rest is margin.
SETTLE_SECONDS = 6.0
# Past either bound the oldest frames are dropped.
MAX_GROUPS = 1_000
MAX_CHARS = 4 << 20


class Newest:
    """Keeps unconfirmed frames and sends them again.

    Args:
        loop: every call happens in it.
        send: queues messages once more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[Iterable[Message]], None]) -> None:
        self._loop = loop
        self._send = send
        self._frames: dict[str, OneFrame] = {}
        self._chars = 0
        self._timer: asyncio.TimerHandle | None = None
        # When all subscribers are back, in the loop's time; None: no message was sent since the last failure.
        self._settled_at: float | None = None

    @property
    def is_in_use(self) -> bool:
        """Whether frames are being sent again."""
        return self._timer is not None

    def has(self, message: Message) -> bool:
        """Whether this very message will be sent again."""
        return self._frames.get(message.group) is message

    def lost(self, messages: Iterable[Message]) -> None:
        """Keep messages that Redis did not take."""
        self._settled_at = None
        self._keep(messages)
        if self._frames and self._timer is None:
            self._timer = self._loop.call_later(RESEND_SECONDS, self._resend)

    def sent(self, messages: Iterable[Message]) -> None:
        """Keep messages that Redis took, maybe before its subscribers were back."""
        if self._settled_at is None:
            self._settled_at = self._loop.time() + SETTLE_SECONDS
        self._keep(messages)

    def _resend(self) -> None:
        if self._settled_at is not None and self._loop.time() >= self._settled_at:
            self._frames.clear()
            self._chars, self._timer, self._settled_at = 0, None, None
            return
        self._timer = self._loop.call_later(RESEND_SECONDS, self._resend)
        self._send([*self._frames.values()])

    def _keep(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if not isinstance(message, OneFrame) or message.version is None:
                continue
            known = self._frames.get(message.group)
            if known is not None:
                if known.version is not None and known.version >= message.version:
                    continue
                self._drop(message.group)
            self._frames[message.group] = message
            self._chars += len(message.text)
            while len(self._frames) > MAX_GROUPS or self._chars > MAX_CHARS:
                self._drop(next(iter(self._frames)))

    def _drop(self, group: str) -> None:
        self._chars -= len(self._frames.pop(group).text)
