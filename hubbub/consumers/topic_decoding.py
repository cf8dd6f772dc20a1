"""The frames of a client as commands of topics, with the scopes and limits that they have."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from hubbub.consumers.commands import AnyCommandQueue
from hubbub.consumers.consumer import Consumer
from hubbub.consumers.topic_commands import TopicCommands
from hubbub.process.refusals import BadDeclaration
from hubbub.protocol import Malformed, Ping, decoder_of, parse
from hubbub.topics.commands import PUBLIC, CommandSpec
from hubbub.topics.declarations import by_name
from hubbub.topics.frames import Envelope, Join, Leave, State
from hubbub.topics.topic import Topic, serve

OWN_TYPES = ("ping", "join", "leave", "state")
_own_commands = decoder_of(Ping | Join | Leave | State)
_envelope = decoder_of(Envelope)


class TopicCommand(msgspec.Struct, frozen=True):
    """A decoded command of a topic; without `spec`: the endpoint has no such topic."""

    ref: Any
    topic: str
    spec: CommandSpec | None
    arguments: msgspec.Struct


class TopicDecoding(Consumer):
    """The part of a `TopicConsumer` that decodes."""

    topics: ClassVar[Iterable[type[Topic]]] = ()
    _by_name: ClassVar[dict[str, type[Topic]]] = {}
    _batched: ClassVar[frozenset[str]] = frozenset()  # Names of topics with a batch.

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> Any:
        """As in Channels. Raises BadDeclaration: the consumer has no topics."""
        if not cls.topics:
            raise BadDeclaration(f"{cls.__name__}: topics={cls.topics!r}: an endpoint has at least one topic")
        return super().as_asgi(**initkwargs)

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls._by_name = by_name(cls.__name__, cls.topics, Topic)
        serve(cls.topics)
        cls.admits_visitors = cls.permission is None and any(topic.permission is PUBLIC for topic in cls.topics)
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
