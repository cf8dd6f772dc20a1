"""TopicConsumer: one socket for many topics."""

import logging
from typing import Any

import msgspec

from hubbub.consumers.topic_decoding import TopicCommand, TopicDecoding
from hubbub.consumers.topic_joins import TopicJoins
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Ok, Refused
from hubbub.topics import access, batches, calls, pools
from hubbub.topics.access import not_found
from hubbub.topics.commands import PUBLIC, CommandSpec
from hubbub.topics.frames import Done, Join, Leave, State
from hubbub.topics.topic import Topic, topic_at

logger = logging.getLogger(__name__)

# With such a lag of the event loop, commands that are only told are refused.
BUSY_MS = 100.0
RETRY_BUSY_MS = 2000


class TopicConsumer(TopicDecoding, TopicJoins):
    """Set `topics`: `class PollConsumer(TopicConsumer): topics = [PollTopic]`."""

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
            case State():
                return await self._read(topic)
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
        if self.identity.is_anonymous and spec.permission is not PUBLIC:
            raise access.forbidden_command(spec)
        if spec.max_present and self._memberships.count_present(topic.group) > spec.max_present:
            return Done(topic=topic.address)
        spec.method(topic, self.identity.person, **{name: getattr(arguments, name) for name in spec.argument_names})
        return Done(topic=topic.address)


def live(*topics: type[Topic]) -> type[TopicConsumer]:
    """Make a consumer of these topics, for a route: `path("ws/", live(PollTopic, RoomTopic).as_asgi())`."""
    return type("LiveConsumer", (TopicConsumer,), {"topics": topics})
