"""TopicConsumer: one socket for many topics, by protocol 2."""

import inspect
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import msgspec

from hubbub.consumers.commands import AnyCommandQueue
from hubbub.consumers.consumer import HubbubConsumer
from hubbub.consumers.topic_commands import TopicCommands
from hubbub.delivery.feed import Feed, FeedReceiver
from hubbub.delivery.sequence import Spawn
from hubbub.presence.topic_presence import Change
from hubbub.process.metrics import COUNTERS
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import (
    ErrorCode,
    Malformed,
    Ok,
    Person,
    Ping,
    Refused,
    answer_text,
    decoder_of,
    parse,
)
from hubbub.runtime import runtime
from hubbub.topics import calls, pools, reading
from hubbub.topics.access import not_found
from hubbub.topics.addresses import address_of_group
from hubbub.topics.commands import CommandSpec
from hubbub.topics.feed import NewestFeed, StateFeed
from hubbub.topics.frames import Done, Envelope, Join, Joined, Leave, PresenceChanged, room_for_presence
from hubbub.topics.reading import TopicState
from hubbub.topics.recovery import RECOVERY
from hubbub.topics.shared_read import SharedRead
from hubbub.topics.topic import Topic, serve, topic_at

logger = logging.getLogger(__name__)

JOIN_ATTEMPTS = 3

# With such a lag of the event loop, commands that are only told are refused.
BUSY_MS = 100.0
RETRY_BUSY_MS = 2000
MAX_PARTS = 20

OWN_TYPES = ("ping", "join", "leave")
_own_commands = decoder_of(Ping | Join | Leave)
_envelope = decoder_of(Envelope)


class TopicCommand(msgspec.Struct, frozen=True):
    """A decoded command of a topic; without `spec`: the endpoint has no such topic."""

    ref: Any
    topic: str
    spec: CommandSpec | None
    arguments: msgspec.Struct


class TopicConsumer(HubbubConsumer):
    """Set `topics`: `class PollConsumer(TopicConsumer): topics = [PollTopic]`."""

    topics: ClassVar[Iterable[type[Topic]]] = ()
    protocol = 2
    _by_name: ClassVar[dict[str, type[Topic]]] = {}
    # Partial answers sent for each topic since its last complete one.
    _parts: dict[str, int] | None = None
    # Topics with hooks that the socket has joined, by address.
    _hooked: dict[str, Topic] | None = None

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        serve(cls.topics)
        cls._by_name = {topic.name: topic for topic in cls.topics}
        cls.endpoint_scopes = frozenset(topic.read_scope for topic in cls.topics) | {
            topic.write_scope for topic in cls.topics if topic.has_writes()
        }

    # From text to commands

    def _decode(self, text: str) -> Any:
        envelope: Envelope = parse(_envelope, text)
        if envelope.type in OWN_TYPES:
            return parse(_own_commands, text)
        if not envelope.topic:
            raise Malformed("the command names no `topic`", envelope.ref)
        topic = self._by_name.get(envelope.topic.partition("/")[0])
        if topic is None:
            return TopicCommand(envelope.ref, envelope.topic, None, envelope)
        spec = topic.commands.get(envelope.type)
        if spec is None:
            raise Malformed(f"{topic.name} has no command {envelope.type!r}", envelope.ref)
        return TopicCommand(envelope.ref, envelope.topic, spec, parse(spec.decoder, text))

    def _is_write(self, command: Any) -> bool:
        return isinstance(command, TopicCommand) and (command.spec is None or command.spec.is_write)

    def _scope_of(self, command: Any) -> str | None:
        if isinstance(command, Ping) or (topic := self._by_name.get(command.topic.partition("/")[0])) is None:
            return None
        return topic.write_scope if self._is_write(command) else topic.read_scope

    def _make_queue(self, max_in_flight: int) -> AnyCommandQueue:
        return TopicCommands(self, max_in_flight)

    # Commands

    async def handle(self, command: Any) -> Ok | None:
        topic = topic_at(command.topic, self._by_name)
        match command:
            case Leave():
                if topic is not None:
                    self.leave(topic.group)
                    await self._left(topic.address)
                return Done(topic=command.topic)
            case _ if topic is None:
                raise not_found()
            case Join():
                return await self._join(topic, command)
            case TopicCommand(spec=CommandSpec(told=True) as spec, arguments=arguments):
                return self._tell(topic, spec, arguments)
            case TopicCommand(spec=CommandSpec() as spec, arguments=arguments):
                pool = pools.readers() if spec.reads else pools.writers()
                result = await pool.run(topic.name, calls.run_from_wire, topic, spec, arguments, self.identity)
                return Done(topic=command.topic, result=msgspec.UNSET if result is None else result)
        return await super().handle(command)

    def _tell(self, topic: Topic, spec: CommandSpec, arguments: msgspec.Struct) -> Done:
        if not self._memberships.is_live(topic.group):
            raise Refused(ErrorCode.CONFLICT, f"join {topic.address} before {spec.name}")
        if COUNTERS.lags_ms and COUNTERS.lags_ms[-1] > BUSY_MS:
            COUNTERS.limited["told"] += 1
            raise Refused(ErrorCode.RATE_LIMITED, "the server is busy", retry_after_ms=RETRY_BUSY_MS)
        person = Person(self.identity.user_id, self.identity.name)
        spec.method(topic, person, **{name: getattr(arguments, name) for name in spec.argument_names})
        return Done(topic=topic.address)

    async def _join(self, topic: Topic, command: Join) -> Ok | None:
        """Enter the group, read, answer, then deliver what follows, so that no change is lost.

        Returns:
            A partial answer, with the topic not joined yet; None if the complete answer was sent.
        """
        group = topic.group
        if not self.is_active(group):
            # Access first: the time of a subscription would show whether a forbidden topic is in use.
            await pools.readers().run(topic.name, reading.enter, topic, self.identity)
        try:
            for _ in range(JOIN_ATTEMPTS):
                await self._enter(topic)
                viewer = await pools.readers().run(topic.name, reading.enter, topic, self.identity)
                if self.is_evicted(group):
                    raise not_found()
                self.check_number(group)
                if topic.kind == "log":
                    answer, position, epoch = await self._open_log(topic, command)
                else:
                    answer, position, epoch = await self._open_state(topic, command)
                if self.is_evicted(group):
                    raise not_found()
                if answer.partial:
                    # A socket that was a member leaves: a live event would be ahead of the partial answer.
                    self.leave(group)
                    return answer
                if position is None or not self.must_read_again(group, position):
                    self._forget_parts(topic.address)
                    answer = msgspec.structs.replace(answer, viewer=reading.viewer_or_none(viewer))
                    present = self.presence(group, min(reading.PAGE_BYTES, room_for_presence(answer)))
                    answer = msgspec.structs.replace(answer, present=present)
                    self.outbox.put(answer_text(command.ref, answer))
                    self.go_live(group, position, epoch)
                    await self._entered(topic)
                    return None
        except Refused as refused:
            if refused.code in (ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN, ErrorCode.UNAUTHORIZED):
                self.leave(group)  # Also a topic that was joined before and is forbidden now.
            raise
        finally:
            self.abandon(group)
        raise Refused(ErrorCode.UNAVAILABLE, "the topic is too busy to join; try again", retry_after_ms=1000)

    async def _enter(self, topic: Topic) -> None:
        announce = _announce if topic.presence else None
        if topic.kind == "log":
            await self.join_uncounted(topic.group, RECOVERY, announce)
            return

        def make_feed(spawn: Spawn, receiver: FeedReceiver) -> Feed:
            if topic.kind == "newest":
                return NewestFeed(RECOVERY)
            return StateFeed(topic.address, RECOVERY, partial(_read_state, topic), spawn, receiver)

        await self.join_uncounted(topic.group, None, announce, make_feed)

    async def _open_state(self, topic: Topic, command: Join) -> tuple[Joined, int | None, str]:
        if topic.kind == "newest":
            state = await _newest(topic)
            version = state.position
        else:
            feed = runtime().hub.feed_of(topic.group)
            assert isinstance(feed, StateFeed)
            version, state = await feed.current()
        if topic.kind == "state" and (command.after, command.epoch) == (state.position, state.epoch):
            joined = Joined(topic=topic.address, epoch=state.epoch, position=state.position, complete=True, events=[])
        else:
            joined = Joined(
                topic=topic.address, epoch=state.epoch, position=state.position, complete=False, state=state.state
            )
        return joined, version, ""

    async def _open_log(self, topic: Topic, command: Join) -> tuple[Joined, int | None, str]:
        may_be_partial = (self._parts or {}).get(topic.address, 0) < MAX_PARTS
        page = await pools.readers().run(
            topic.name, reading.open_log, topic, command.after, command.epoch, may_be_partial=may_be_partial
        )
        if page.partial:
            self._count_part(topic.address)
        joined = Joined(
            topic=topic.address,
            epoch=page.epoch,
            position=page.position,
            complete=page.texts is not None,
            events=msgspec.UNSET if page.texts is None else [msgspec.Raw(text.encode()) for text in page.texts],
            state=msgspec.UNSET if page.state is None else page.state,
            partial=page.partial,
        )
        return joined, page.position, page.epoch

    async def _entered(self, topic: Topic) -> None:
        """Call the hooks of a topic that has any."""
        cls = type(topic)
        if cls.on_join is Topic.on_join and cls.on_leave is Topic.on_leave:
            return
        await self._left(topic.address)  # It was joined before.
        hooked = self._hooked = self._hooked or {}
        hooked[topic.address] = topic
        await self._run_hook(topic, "on_join")

    async def _left(self, address: str) -> None:
        if self._hooked is not None and (topic := self._hooked.pop(address, None)) is not None:
            await self._run_hook(topic, "on_leave")

    async def _run_hook(self, topic: Topic, name: str) -> None:
        try:
            await pools.writers().run(topic.name, calls.run_hook, topic, name, self.identity)
        except Refused:
            pass  # The threads have logged that the database is away.
        except Exception:
            logger.exception("topic %s: %s failed", topic.address, name)

    async def _clean_up(self) -> None:
        await super()._clean_up()
        for address in [*(self._hooked or ())]:
            await self._left(address)

    def _count_part(self, address: str) -> None:
        parts = self._parts = self._parts or {}
        parts[address] = parts.pop(address, 0) + 1
        if len(parts) > 100:
            del parts[next(iter(parts))]

    def _forget_parts(self, address: str) -> None:
        if self._parts is not None and self._parts.pop(address, None) is not None and not self._parts:
            self._parts = None


def live(*topics: type[Topic]) -> type[TopicConsumer]:
    """Make a consumer of these topics, for a route: `path("ws/", live(PollTopic, RoomTopic).as_asgi())`."""
    return type("LiveConsumer", (TopicConsumer,), {"topics": topics})


async def _newest(topic: Topic) -> TopicState:
    """The state of a newest; one read serves all who join at the same time."""
    if inspect.iscoroutinefunction(topic.state):
        return reading.versioned(topic, await topic.state())
    shared = _shared_reads().setdefault(topic.address, SharedRead(partial(_read_state, topic)))
    return await shared.get()


_shared_reads: PerLoop[WeakValueDictionary[str, SharedRead[TopicState]]] = PerLoop(WeakValueDictionary)


async def _read_state(topic: Topic) -> TopicState:
    return await pools.readers().run(topic.name, reading.read_state, topic)


def _announce(group: str, change: Change) -> PresenceChanged:
    topic = address_of_group(group)
    return PresenceChanged(topic=topic, count=change.count, joined=change.joined, left=change.left)
