"""A client in a test: what it sees of a topic, and its commands."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.db import OperationalError

from hubbub import users
from hubbub.auth.identity import Identity
from hubbub.protocol import Malformed, Person, Refused, from_json, parse, to_json
from hubbub.publish.messages import LastFrame, Message, OneFrame, Reached, Recheck, SeveralFrames, Told
from hubbub.testing.capture import commits, count_hooks, run_hooks
from hubbub.topics import access, calls, reading
from hubbub.topics.commands import CommandSpec
from hubbub.topics.topic import Topic

SECONDS = 2.0  # Of a wait for a frame.

Frame = dict[str, Any]


class Page:
    """A client that has joined a topic. Commands are methods: `await page.vote(option=1)` returns the result.

    Attributes:
        topic: the topic.
        user: whose page it is.
        state: of a state or newest the present one, decoded; of a log the one of the join.
        position: of the state.
        viewer: what this user alone was told at the join.
        frames: all events and changes that came, decoded.
    """

    def __init__(self, topic: Topic, user: Any) -> None:
        self.topic = topic
        self.user = user
        self._user_id = "" if access.is_anonymous(user) else users.id_of(user)
        self.state: Any = None
        self.position = 0
        self.viewer: Any = None
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self._is_stale = False
        self._must_check = False
        # Came after a change of access that is not checked yet: a user without access gets none of them.
        self._held: list[Message] = []
        self._closed: str | None = None
        self._hooks: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        for spec in self.topic.commands.values():
            if spec.method.__name__ == name:
                return partial(self._call, spec)
        raise AttributeError(f"{self.topic.address} has no command {name!r}")

    async def send(self, type: str, /, **arguments: Any) -> Any:
        """Send a command by its `type`, its name on the wire, with its arguments.

        Returns:
            Its result, decoded; None: there is none.

        Raises:
            Refused: by the checks, or by the command. Malformed, a subclass: there is no such command, or an argument
                has a wrong type.
        """
        spec = self.topic.commands.get(type)
        if spec is None:
            raise Malformed(f"{self.topic.name} has no command {type!r}")
        return await self._call(spec, **arguments)

    async def changed(self, seconds: float = SECONDS) -> Any:
        """Wait at most `seconds` for a change. Returns the new state; several changes before it are one.

        Raises:
            AssertionError: there was none, or the topic was closed.
        """
        return (await self.event("changed", seconds))["state"]

    async def event(self, type: str, seconds: float = SECONDS) -> Frame:
        """Wait at most `seconds` for the next event of this type, and return it. Others before it are dropped.

        Raises:
            AssertionError: there was none, or the topic was closed.
        """
        deadline = self._loop.time() + seconds
        while True:
            await self._catch_up()
            while self._unread:
                frame = self._unread.pop(0)
                if frame["type"] == type:
                    return frame
            if self._closed is not None or not await self._wait(deadline):
                came = ", ".join(frame["type"] for frame in self.frames) or "nothing"
                raise AssertionError(f"{self.topic.address}: no {type!r} within {seconds:g} s; there came {came}")

    async def closed(self, seconds: float = SECONDS) -> str:
        """Wait at most `seconds` until the topic is closed for this user. Returns the code.

        Raises:
            AssertionError: it stayed open.
        """
        deadline = self._loop.time() + seconds
        while True:
            await self._catch_up()
            if self._closed is not None:
                return self._closed
            if not await self._wait(deadline):
                raise AssertionError(f"{self.topic.address} is open after {seconds:g} s")

    # For `connect`

    async def join(self) -> None:
        """Check that the user may see the topic, and read it."""

        def enter() -> None:
            user = self.user
            if not access.is_anonymous(user):
                _check_user(user)
                user = access.current_user(users.id_of(user), None)
            self.viewer = _decoded(self._enter(user))
            self._hooks = count_hooks()

        await sync_to_async(enter)()
        await self._read()

    def _enter(self, user: Any) -> Any:
        if type(self.topic).enter is Topic.enter:
            access.check_view(self.topic, user)
            return to_json(self.topic.viewer(user))
        identity = Identity(self._user_id, permitted=True, **users.shown_of(self.user))
        return reading.enter(self.topic, identity)

    async def _call(self, spec: CommandSpec, /, **arguments: Any) -> Any:
        if spec.once:
            arguments.setdefault("id", uuid4().hex)
        frame = {"type": spec.name, "ref": 0, "topic": self.topic.address, **arguments}
        decoded = parse(spec.decoder, to_json(frame).decode())
        topic = _again(self.topic)

        def run() -> Any:
            with commits():
                if spec.told:
                    given = {name: getattr(decoded, name) for name in spec.argument_names}
                    return spec.method(
                        topic,
                        Person(self._user_id or None, users.name_of(self.user), users.picture_of(self.user)),
                        **given,
                    )
                return calls.run_from_python(topic, spec, self.user, (), arguments)

        result = await sync_to_async(run)()
        return None if result is None else _decoded(to_json(result))

    def receive(self, message: Message) -> None:
        """Take a message; called in the thread that publishes it."""
        if isinstance(message, Recheck):
            self._must_check = True
        elif message.group != self.topic.group:
            return
        elif self._must_check or self._held:
            self._held.append(message)
        else:
            self._take(message)
        self._loop.call_soon_threadsafe(self._arrived.set)

    def _take(self, message: Message) -> None:
        if self._closed is not None:
            return
        match message:
            case Reached():
                self._is_stale = True
            case LastFrame(text=text, evicted=evicted):
                if evicted == "all" or self._user_id in evicted:
                    self._closed = from_json(text)["code"]
            case OneFrame(text=text) | Told(text=text):
                self._keep(from_json(text))
            case SeveralFrames(frames=frames):
                for _, text in frames:
                    self._keep(from_json(text))

    def _keep(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._unread.append(frame)

    async def _catch_up(self) -> None:
        """Read the state if it changed, and check access if that may have changed."""
        await sync_to_async(run_hooks)(self._hooks)  # Of rows that the test itself has saved.
        self._arrived.clear()
        if self._must_check or self._held:
            self._must_check = False
            self._closed = self._closed or await sync_to_async(self._denied)()
            while self._held:
                self._take(self._held.pop(0))
        if self._is_stale and self._closed is None:
            self._is_stale = False
            try:
                await self._read()
            except Refused as refused:  # As on the wire: a state that is refused after a change closes the topic.
                self._closed = refused.code
            else:
                self._keep({"type": "changed", "topic": self.topic.address, "state": self.state})

    def _denied(self) -> str | None:
        user_id = self._user_id
        denied, _ = access.denied([(_again(self.topic), [user_id])])
        return denied.get(self.topic.address, {}).get(user_id)

    async def _read(self) -> None:
        topic = _again(self.topic)
        if asyncio.iscoroutinefunction(topic.state):
            read = reading.versioned(topic, await topic.state())
        else:
            read = await sync_to_async(reading.read_state)(topic)
        self.state, self.position = _decoded(read.state), read.position

    async def _wait(self, deadline: float) -> bool:
        """Wait for a message. Returns whether one came."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True


def _check_user(user: Any) -> None:
    """Raises RuntimeError: the thread of the queries does not see the user's row."""
    try:
        is_there = type(user)._base_manager.filter(pk=user.pk).exists()
    except OperationalError:  # Of SQLite in memory: an open transaction of another thread locks its tables.
        is_there = False
    if not is_there:
        raise RuntimeError(
            f"{user!r} has no row that this thread sees: queries of a coroutine run in a thread. "
            "With pytest-asyncio use `transactional_db` in place of `db`"
        )


def _again(topic: Topic) -> Topic:
    """The same topic, as each command and read gets it."""
    return type(topic)(topic.key) if topic.key is not None else type(topic)()


def _decoded(text: Any) -> Any:
    return from_json(bytes(text))
