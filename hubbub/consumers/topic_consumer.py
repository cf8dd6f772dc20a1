"""TopicConsumer: one socket for many topics."""

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from hubbub.consumers.commands import AnyCommandQueue
from hubbub.consumers.topic_commands import TopicCommands
from hubbub.consumers.topic_joins import TopicJoins
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import (
    ErrorCode,
    Malformed,
    Ok,
    Person,
    Ping,
    Refused,
    decoder_of,
    parse,
)
from hubbub.topics import access, batches, calls, pools
from hubbub.topics.access import not_found
from hubbub.topics.commands import CommandSpec
from hubbub.topics.frames import Done, Envelope, Join, Leave
from hubbub.topics.topic import Topic, serve, topic_at

logger = logging.getLogger(__name__)

# With such a lag of the event loop, commands that are only told are refused.
BUSY_MS = 100.0
RETRY_BUSY_MS = 2000

OWN_TYPES = ("ping", "join", "leave")
_own_commands = decoder_of(Ping | Join | Leave)
_envelope = decoder_of(Envelope)


class TopicCommand(msgspec.Struct, frozen=True):
    """A decoded command of a topic; without `spec`: the endpoint has no such topic."""

    ref: Any
    topic: str
    spec: CommandSpec | None
    arguments: msgspec.Struct


class TopicConsumer(TopicJoins):
    """Set `topics`: `class PollConsumer(TopicConsumer): topics = [PollTopic]`."""

    topics: ClassVar[Iterable[type[Topic]]] = ()
    _by_name: ClassVar[dict[str, type[Topic]]] = {}
    _batched: ClassVar[frozenset[str]] = frozenset()  # Names of topics with a batch.

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        serve(cls.topics)
        cls._by_name = {topic.name: topic for topic in cls.topics}
        cls._batched = frozenset(
            topic.name for topic in cls.topics if any(spec.batch for spec in topic.commands.values())
        )
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

    def has_batches(self, topic: str) -> bool:
        """Whether the topic has a command with a batch."""
        return topic.partition("/")[0] in self._batched

    def _make_queue(self, max_in_flight: int) -> AnyCommandQueue:
        return TopicCommands(self, max_in_flight)

    # Commands

    async def handle(self, command: Any) -> Ok | None:
        topic = topic_at(command.topic, self._by_name)
        match command:
            case Leave():
                if topic is not None:
                    self.leave(topic.group)
                return Done(topic=command.topic)
            case _ if topic is None:
                raise await self._refusal(command.topic)
            case Join():
                return await self._join(topic, command)
            case TopicCommand(spec=CommandSpec(told=True) as spec, arguments=arguments):
                return self._tell(topic, spec, arguments)
            case TopicCommand(spec=CommandSpec(batch=batch) as spec, arguments=arguments) if batch:
                result = await batches.run_from_wire(topic, spec, arguments, self.identity)
                return Done(topic=command.topic, result=msgspec.UNSET if result is None else result)
            case TopicCommand(spec=CommandSpec() as spec, arguments=arguments):
                pool = pools.readers() if spec.reads else pools.writers()
                result = await pool.run(topic.name, calls.run_from_wire, topic, spec, arguments, self.identity)
                return Done(topic=command.topic, result=msgspec.UNSET if result is None else result)
        return await super().handle(command)

    async def _refusal(self, address: str) -> Refused:
        """The answer for an address without a topic."""
        cls = self._by_name.get(address.partition("/")[0])
        if cls is None:
            return not_found()
        return await pools.readers().run(cls.name, access.refusal_of_key, cls, self.identity)

    def _tell(self, topic: Topic, spec: CommandSpec, arguments: msgspec.Struct) -> Done:
        if not self._memberships.is_live(topic.group):
            raise Refused(ErrorCode.CONFLICT, f"join {topic.address} before {spec.name}")
        if COUNTERS.lags_ms and COUNTERS.lags_ms[-1] > BUSY_MS:
            COUNTERS.limited["told"] += 1
            raise Refused(ErrorCode.RATE_LIMITED, "the server is busy", retry_after_ms=RETRY_BUSY_MS)
        person = Person(self.identity.user_id, self.identity.name)
        spec.method(topic, person, **{name: getattr(arguments, name) for name in spec.argument_names})
        return Done(topic=topic.address)


def live(*topics: type[Topic]) -> type[TopicConsumer]:
    """Make a consumer of these topics, for a route: `path("ws/", live(PollTopic, RoomTopic).as_asgi())`."""
    return type("LiveConsumer", (TopicConsumer,), {"topics": topics})
