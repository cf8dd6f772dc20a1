"""The robots of the demo: clients of the running site that talk at the pace of people."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, unix_connect

from hubbub.client import Client, ConnectionLost, Refused, Subscription, TopicClosed
from project.demo.scenes import SCENES, Act, Scene, answer_to

TYPING_AGAIN_SECONDS = 5.0
REFUSED_SECONDS = 10.0
STARTS_SECONDS = 0.2  # Between looks for a server that listens.
ANSWERED = 0.7  # The share of people's messages that get an answer.

Connect = Callable[[str], Awaitable[ClientConnection]]


def connect_to(folder: Path) -> Connect:
    """Opens connections through the sockets that `manage.py up` probes its processes by: no port needs to be known."""

    def sockets() -> list[Path]:
        return list(folder.glob("web-*.sock"))

    async def connect(url: str) -> ClientConnection:
        while not (paths := sockets()):  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(STARTS_SECONDS)
        path = random.choice(paths)  # noqa: S311 - spreads robots over processes
        options: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": 1}
        return await unix_connect(str(path), url, **options)

    return connect


async def run(url: str, tokens: Mapping[str, str], seeds: Mapping[str, str], connect: Connect) -> None:
    """Talk until cancelled.

    Args:
        tokens: by name of the robot.
        seeds: by slug of the room: the same seeds make the same conversations.
    """
    async with AsyncExitStack() as stack:
        clients = [(name, Client(url, token=token, connect=connect)) for name, token in tokens.items()]
        hubs = {name: await stack.enter_async_context(client) for name, client in clients}
        ids = {hub.user["id"] for hub in hubs.values()}
        async with asyncio.TaskGroup() as tasks:
            for scene in SCENES:
                tasks.create_task(_Performance(scene, hubs, ids, seeds[scene.slug]).run())


class _Performance:
    """A scene while it is played: its robots are in the room, talk, and answer to people."""

    def __init__(self, scene: Scene, hubs: Mapping[str, Client], ids: set[str], seed: str) -> None:
        self._scene, self._seed, self._ids = scene, seed, ids
        self._topics = {name: hub.topic(f"room/{scene.slug}") for name, hub in hubs.items()}
        self._answers = random.Random(f"{seed} answers")  # noqa: S311 - words
        self._answering: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, topic in enumerate(self._topics.values()):
                    tasks.create_task(self._listen(topic, tasks if number == 0 else None))
                for act in self._scene.acts(self._seed):
                    await self._play(act)
        except* TopicClosed:
            pass  # The room was deleted, or closed to a robot. The other scenes go on.

    async def _listen(self, topic: Subscription, answers: asyncio.TaskGroup | None) -> None:
        """Read all events, as each client must; the first robot of the room sees to answers."""
        async for event in topic:
            if answers is None or event["type"] != "message.posted":
                continue
            person = event["message"]["user"]
            is_free = self._answering is None or self._answering.done()
            if person["id"] not in self._ids and is_free and self._answers.random() < ANSWERED:
                self._answering = answers.create_task(self._play(answer_to(self._answers, person["name"])))

    async def _play(self, act: Act) -> None:
        topic = self._topics[act.by]
        await asyncio.sleep(act.reads)
        try:
            await self._type(topic, act.types)
            posted = await topic.send("message.post", id=uuid4(), body=act.text)
            if act.corrected:
                await self._type(topic, act.types / 2)
                await topic.send("message.edit", retry=True, seq=posted["seq"], body=act.corrected)
        except TopicClosed:
            raise
        except (Refused, ConnectionLost):
            await asyncio.sleep(REFUSED_SECONDS)  # The room is archived for now, or the server is busy.

    async def _type(self, topic: Subscription, seconds: float) -> None:
        while seconds > 0:
            with contextlib.suppress(Refused, ConnectionLost):
                await topic.send("room.typing")
            await asyncio.sleep(min(seconds, TYPING_AGAIN_SECONDS))
            seconds -= TYPING_AGAIN_SECONDS
