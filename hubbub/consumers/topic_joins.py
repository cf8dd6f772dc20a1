"""Joins of topics: a client is sent what it lacks, and then everything that follows, so that no change is lost."""

import inspect
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from hubbub.consumers.consumer import Consumer
from hubbub.consumers.topic_hooks import TopicHooks, has_hooks
from hubbub.delivery.feed import Feed, FeedReceiver
from hubbub.delivery.sequence import Spawn
from hubbub.presence.topic_presence import Change
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import ErrorCode, Ok, Refused, answer_text
from hubbub.runtime import runtime
from hubbub.topics import log_reading, pools, reading, watch_reading
from hubbub.topics.access import not_found
from hubbub.topics.addresses import address_of_group
from hubbub.topics.feed import NewestFeed, StateFeed
from hubbub.topics.frames import Join, Joined, PresenceChanged, room_for_presence
from hubbub.topics.reading import TopicState
from hubbub.topics.recovery import RECOVERY, find
from hubbub.topics.shared_read import SharedRead
from hubbub.topics.topic import Topic
from hubbub.topics.watch import Watch
from hubbub.topics.watching import WatchFeed

JOIN_ATTEMPTS = 3
# Topics that a socket resumes in parts at the same time; past that the count of the oldest starts anew.
MAX_RESUMING = 100


class TopicJoins(Consumer):
    """The part of a `TopicConsumer` that joins and leaves topics."""

    # Partial answers sent for each topic since its last complete one.
    _parts: dict[str, int] | None = None
    # Of a socket that has joined topics with hooks.
    _hooks: TopicHooks | None = None

    def leave(self, group: str) -> None:
        super().leave(group)
        self.evicted(group)

    def evicted(self, group: str) -> None:
        """The socket is no member of the group any more: call `on_leave` of its topic."""
        if self._hooks is not None:
            self._hooks.left(address_of_group(group))

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
                opening = OPENINGS[topic.kind]
                viewer, answer, position, epoch = await opening(self, topic, command)
                if self.is_evicted(group):
                    raise not_found()
                self.check_number(group)  # After the access check: this refusal would reveal that the topic exists.
                if answer.partial:
                    # A socket that was a member leaves: a live event would be ahead of the partial answer.
                    self.leave(group)
                    return answer
                if position is None or not self.must_read_again(group, position):
                    self._forget_parts(topic.address)
                    answer = msgspec.structs.replace(answer, viewer=reading.viewer_or_none(viewer))
                    room = room_for_presence(answer, reading.page_bytes(), is_page=topic.kind == "log")
                    answer = msgspec.structs.replace(answer, present=self.presence(group, room))
                    self.outbox.put(answer_text(command.ref, answer))
                    self.go_live(group, position, epoch)
                    self._entered(topic)
                    return None
        except Refused as refused:
            if refused.retry_after_ms is None:
                # Also a topic that was joined before: for its client it is closed now.
                self.leave(group)
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
            if isinstance(topic, Watch):
                return WatchFeed(topic, find, RECOVERY, spawn, receiver)
            return StateFeed(topic.address, RECOVERY, partial(_read_state, topic), spawn, receiver)

        await self.join_uncounted(topic.group, None, announce, make_feed)

    async def _open_state(self, topic: Topic, command: Join) -> tuple[msgspec.Raw, Joined, int | None, str]:
        viewer = await pools.readers().run(topic.name, reading.enter, topic, self.identity)
        if self.is_evicted(topic.group):
            raise not_found()
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
        return viewer, joined, version, ""

    async def _open_watch(self, topic: Topic, command: Join) -> tuple[msgspec.Raw, Joined, int | None, str]:
        viewer = await pools.readers().run(topic.name, reading.enter, topic, self.identity)
        if self.is_evicted(topic.group):
            raise not_found()
        feed = runtime().hub.feed_of(topic.group)
        assert isinstance(feed, WatchFeed)
        await feed.wait_for(self.identity.user_id)
        # Nothing is awaited until the member is live: the next pulse sends what moves from here on.
        state = feed.begin(self.identity.user_id, self._memberships.pending(topic.group))
        return viewer, Joined(topic=topic.address, epoch="0", position=0, complete=False, state=state), None, ""

    async def _read(self, topic: Topic) -> Joined:
        """The state of the topic, for a client that does not join it."""
        if topic.kind == "log":
            viewer, page = await pools.readers().run(
                topic.name,
                log_reading.open_log,
                topic,
                self.identity,
                None,
                None,
                may_be_partial=False,
                present_bytes=0,
                users_changed=runtime().revocation.changes_of_users,
            )
            assert page.state is not msgspec.UNSET
            read = TopicState(page.epoch, page.position, page.state)
        elif isinstance(topic, Watch):
            viewer, state = await pools.readers().run(topic.name, watch_reading.read_state, topic, find, self.identity)
            read = TopicState("0", 0, state)
        else:
            viewer = await pools.readers().run(topic.name, reading.enter, topic, self.identity)
            read = await _newest(topic)
        answer = Joined(
            topic=topic.address,
            epoch=read.epoch,
            position=read.position,
            complete=False,
            state=read.state,
            viewer=reading.viewer_or_none(viewer),
        )
        room_for_presence(answer, 0, is_page=False)  # Both fit into a frame.
        return answer

    async def _open_log(self, topic: Topic, command: Join) -> tuple[msgspec.Raw, Joined, int, str]:
        parts = (self._parts or {}).get(topic.address, 0)
        viewer, page = await pools.readers().run(
            topic.name,
            log_reading.open_log,
            topic,
            self.identity,
            command.after,
            command.epoch,
            may_be_partial=parts < self._tunables.resume_parts,
            present_bytes=self._memberships.presence_bytes(topic.group) if topic.presence else 0,
            users_changed=runtime().revocation.changes_of_users,
        )
        if page.partial:
            self._count_part(topic.address)
        joined = Joined(
            topic=topic.address,
            epoch=page.epoch,
            position=page.position,
            complete=page.state is msgspec.UNSET,
            events=page.events,
            state=page.state,
            partial=page.partial,
        )
        return viewer, joined, page.position, page.epoch

    def _entered(self, topic: Topic) -> None:
        if has_hooks(topic) and not self.identity.is_anonymous:
            self._hooks = self._hooks or TopicHooks(self)
            self._hooks.joined(topic)

    async def _clean_up(self) -> None:
        await super()._clean_up()
        if self._hooks is not None:
            await self._hooks.finish()

    def _count_part(self, address: str) -> None:
        parts = self._parts = self._parts or {}
        parts[address] = parts.pop(address, 0) + 1
        if len(parts) > MAX_RESUMING:
            del parts[next(iter(parts))]

    def _forget_parts(self, address: str) -> None:
        if self._parts is not None and self._parts.pop(address, None) is not None and not self._parts:
            self._parts = None


OPENINGS = {
    "log": TopicJoins._open_log,
    "state": TopicJoins._open_state,
    "newest": TopicJoins._open_state,
    "watch": TopicJoins._open_watch,
}


async def _newest(topic: Topic) -> TopicState:
    """The state of a topic that is no log; one read serves all clients that ask at the same time."""
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
