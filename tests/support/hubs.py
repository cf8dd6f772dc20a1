"""Surroundings of a hub in tests: outboxes, a record of changes, frames by way of a real Redis."""

import asyncio
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from hubbub.delivery.asgi_outbox import AsgiOutbox
from hubbub.delivery.hub import Hub
from hubbub.delivery.recovery import Changes, Recovery, StreamPosition

GROUP = "room.general"


class Listener(AsgiOutbox):
    """An outbox whose frames are read by the test."""

    def __init__(self) -> None:
        async def send(_: dict[str, Any]) -> None:
            raise AssertionError("nothing runs this outbox")

        super().__init__(send, abort=lambda: None)

    @property
    def got(self) -> list[str]:
        return [text for text, _ in self._frames]


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Truth:
    """The changes of a room, in place of the database."""

    def __init__(self) -> None:
        self.position = 0
        self.reads: list[int] = []
        self.failures = 0
        self.at_a_time = 1000
        self.epoch = ""
        self.exists = True
        self.comparisons: list[list[str]] = []
        self.recovery = Recovery(self.repair, self.standings)

    async def repair(self, group: str, after: int) -> Changes:
        self.reads.append(after)
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        if not self.exists:
            return Changes(after, [], closed="closed")
        upto = min(self.position, after + self.at_a_time)
        return Changes(upto, [(at, f"#{at}") for at in range(after + 1, upto + 1)], more=upto < self.position)

    async def standings(self, groups: list[str]) -> dict[str, StreamPosition]:
        self.comparisons.append(groups)
        return {group: StreamPosition(self.epoch, self.position) for group in groups} if self.exists else {}


async def send(position: int | None = None, text: str | None = None, group: str = GROUP, **more: Any) -> None:
    message = {"type": "hubbub.frame", "group": group, "text": text or f"#{position}", **more}
    if position is not None:
        message["position"] = position
    await get_channel_layer().group_send(group, message)


async def live_member(
    hub: Hub, truth: Truth | None = None, position: int = 0, group: str = GROUP, epoch: str = ""
) -> Any:
    listener = Listener()
    member = await hub.join(group, listener, truth.recovery if truth else None)
    hub.go_live(group, member, position, epoch)
    return listener, member


async def confirmed(hub: Hub, *listeners: Listener) -> None:
    """Wait until frames arrive: Redis confirms subscriptions after `join` returns."""
    async with asyncio.timeout(5):
        while not all(any("probe" in frame for frame in listener.got) for listener in listeners):
            await send(text="probe")
            await asyncio.sleep(0.01)
    for listener in listeners:
        listener._frames.clear()


async def next_frame(heard: "asyncio.Queue[dict[str, Any]]") -> dict[str, Any]:
    while True:
        async with asyncio.timeout(5):
            message = await heard.get()
        if message["type"] != "probe":
            return message
