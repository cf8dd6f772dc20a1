"""What moved in the topics that users watch: read once a second for a whole process, and joined for each socket."""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from hubbub import threads
from hubbub.delivery.feed import FeedReceiver
from hubbub.delivery.frames import Frames
from hubbub.delivery.member import Member
from hubbub.delivery.outbox import PART_BYTES, Outbox, broadcast
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Spawn
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import in_slices
from hubbub.protocol import ErrorCode, Refused, encode, to_json
from hubbub.topics import reading, watch_reading
from hubbub.topics.frames import ENVELOPE_BYTES, Gone, ListState, Moved
from hubbub.topics.interface import Find, WatchTopic
from hubbub.topics.watch_reading import Item, Read

# Between two reads of what moved: a socket gets at most one frame about it.
PULSE_SECONDS = 1.0
# All lists are read anew at least this often: a ban may end by its time. After lost hints `compare` reads them at once.
LISTS_SECONDS = 120.0
# Lists of users without sockets are kept for so many pulses: most of them come back.
PULSES_KEPT = 15
# Hints that come together share a read.
HINT_SECONDS = 0.05
RETRY_AFTER_MS = 1000
NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class Owed:
    """What a socket has not been sent yet: it is new, or its client reads slowly."""

    moved: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


class WatchFeed:
    """Runs in one event loop, as long as the topic has members in it.

    Args:
        topic: of kind watch.
        find: finds the watched topics.
        recovery: re-checks members.
        spawn: starts a task that the hub owns.
        receiver: the group.
    """

    needs_hints = True

    def __init__(self, topic: WatchTopic, find: Find, recovery: Recovery, spawn: Spawn, receiver: FeedReceiver) -> None:
        self.recovery = recovery
        self._topic = topic
        self._find = find
        self._receiver = receiver
        self._items: dict[str, Item] = {}
        self._lists: dict[str, frozenset[str]] = {}
        # Of the next read of lists: whole ones of users, and keys that users may have got or lost.
        self._due_users: set[str] = set()
        self._due_keys: set[str] = set()
        self._reading: set[str] = set()  # The users of a read of lists that is under way.
        self._waiting: list[asyncio.Future[None]] = []
        self._owed: dict[Member, Owed] = {}
        self._woken = asyncio.Event()
        self._pulses = 0
        self._next_at = asyncio.get_running_loop().time() + PULSE_SECONDS
        self._log = LogOnce(f"topic {topic.address}: reading what moved failed")
        self._task = spawn(self._run())

    # Called by the hub

    @property
    def local(self) -> StreamPosition | None:
        """It has no position, but is compared like others: see `compare`."""
        return StreamPosition("", 0)

    def note(self, position: int) -> None:
        """No positions are published."""

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Hints may have been lost: read all lists anew."""
        self._due_users |= self._lists.keys()
        self._woken.set()

    def note_listed(self, user_ids: Collection[str], keys: Collection[str]) -> None:
        """The lists of these users changed, or those users that list these keys."""
        # Also of those whose first list is being read: it may be of the time before this change.
        self._due_users |= {user_id for user_id in user_ids if user_id in self._lists or user_id in self._reading}
        self._due_keys |= {*keys}
        self._woken.set()

    def end(self) -> None:
        """Cancel the task of a topic without members."""
        self._task.cancel()

    # For joins

    async def wait_for(self, user_id: str) -> None:
        """Return when the list of the user is known.

        Raises:
            Refused: `unavailable`.
        """
        while user_id not in self._lists:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            self._due_users.add(user_id)
            self._woken.set()
            await waiter

    def begin(self, user_id: str, member: Member) -> msgspec.Raw:
        """The state for a member that goes live in this round of the event loop.

        What does not fit follows by the next pulse.
        """
        summaries, rest = self._fitting(self._lists[user_id])
        if rest:
            self._owed[member] = Owed(moved={*rest})
        return msgspec.Raw(to_json(ListState(items=summaries, more=bool(rest))))

    def _fitting(self, keys: Iterable[str]) -> tuple[list[msgspec.Raw], list[str]]:
        """The summaries of as many of these keys as fit into one frame, at least one, and the other keys."""
        items = [item for key in keys if (item := self._items.get(key)) is not None]
        summaries, rest = watch_reading.fitting(items, reading.page_bytes() - ENVELOPE_BYTES)
        return summaries, [item.key for item in rest]

    # The task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self._next_at):
                        await self._woken.wait()
                        if not self._waiting:
                            await asyncio.sleep(HINT_SECONDS)
                except TimeoutError:
                    pass
                try:
                    if self._woken.is_set():
                        await self._read_lists()
                    if loop.time() >= self._next_at:
                        self._next_at = loop.time() + PULSE_SECONDS
                        await self._pulse()
                    self._log.recovered()
                except Refused:
                    self._failed()  # The threads have logged it.
                except Exception as error:  # noqa: BLE001 - the next pulse reads it again
                    self._log.failed(repr(error), with_traceback=True)
                    self._failed()
        finally:
            self._give_up()

    def _failed(self) -> None:
        """The lists that were due are read by the next pulse; who joins is told to try again."""
        self._due_users |= self._lists.keys()
        self._give_up()

    def _give_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(
                    Refused(ErrorCode.UNAVAILABLE, "the list cannot be read; try again", retry_after_ms=RETRY_AFTER_MS)
                )

    async def _read_lists(self) -> None:
        self._woken.clear()
        user_ids, self._due_users = self._due_users, set()
        keys, self._due_keys = self._due_keys, set()
        waiting, self._waiting = self._waiting, []
        self._reading = user_ids
        try:
            read = await threads.read(
                watch_reading.read_lists, self._topic, self._find, user_ids, keys, [*self._lists], [*self._items]
            )
        except BaseException:
            self._waiting += waiting
            self._due_keys |= keys
            raise
        await self._apply(read)
        self._reading = set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _pulse(self) -> None:
        self._forget_unused()
        share = math.ceil(len(self._lists) * PULSE_SECONDS / LISTS_SECONDS)
        # Those that could not be read; else the oldest ones: a list that is read moves to the end.
        self._due_users = self._due_users or {*[*self._lists][:share]}
        if self._due_users or self._due_keys:
            await self._read_lists()
        known = dict(self._items)
        if known:
            await self._apply(
                await threads.read(watch_reading.read_moves, self._topic, self._find, known, [*self._lists])
            )

    def _forget_unused(self) -> None:
        """From time to time drop the lists of users without sockets, and topics that nobody lists."""
        self._pulses += 1
        if self._pulses % PULSES_KEPT:
            return
        here = self._receiver.user_ids
        self._lists = {user_id: keys for user_id, keys in self._lists.items() if user_id in here}
        listed = NOTHING.union(*{id(keys): keys for keys in self._lists.values()}.values())
        if len(listed) < len(self._items):
            self._items = {key: item for key, item in self._items.items() if key in listed}

    async def _apply(self, read: Read) -> None:
        """Take what was read, and send it. The lists and summaries are new before the first socket is written to."""
        moved = {key for key, item in read.items.items() if item is not None and key in self._items}
        gone = {key for key, item in read.items.items() if item is None}
        self._items |= {key: item for key, item in read.items.items() if item is not None}
        for key in gone:
            self._items.pop(key, None)
        changes: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        for user_id in [*self._lists] if read.asked or gone else self._lists.keys() & read.lists.keys():
            before = self._lists[user_id]
            now = read.lists.get(user_id, before)
            if user_id in read.among:
                now = (now - read.asked) | read.among[user_id]
            if (now := now - gone) != before:
                changes[user_id] = now - before, before - now
                self._lists[user_id] = now
        for user_id in read.lists:
            # To the end also where it is the same: the oldest are read next.
            self._lists[user_id] = self._lists.pop(user_id, read.lists[user_id])
        if moved or changes or self._owed:
            await self._send(frozenset(moved), changes)

    # Sending

    async def _send(self, moved: frozenset[str], changes: Mapping[str, tuple[frozenset[str], frozenset[str]]]) -> None:
        live = self._receiver.live
        self._owed = {member: owed for member, owed in self._owed.items() if member in live}
        prepared: dict[tuple[frozenset[str], frozenset[str]], Frames] = {}
        async for part in in_slices([*live.items()]):
            # Sockets that are sent the same: of most changes all of a slice.
            together: dict[tuple[frozenset[str], frozenset[str]], list[Outbox]] = {}
            for member, outbox in part:
                if member not in live:
                    continue
                user_id = member.user_id or ""
                keys = moved & self._lists.get(user_id, NOTHING)
                gained, lost = changes.get(user_id, (NOTHING, NOTHING))
                if gained:
                    keys |= gained
                if member in self._owed:
                    self._send_one(member, outbox, keys, lost)
                elif keys or lost:
                    if outbox.waiting_bytes > PART_BYTES:
                        self._owed[member] = Owed({*keys}, {*lost})
                    else:
                        together.setdefault((keys, lost), []).append(outbox)
            for same, outboxes in together.items():
                frames = prepared.get(same)
                if frames is None:
                    frames = prepared[same] = Frames(*self._texts(*same))
                COUNTERS.deliveries += len(outboxes) * len(frames.texts)
                broadcast(frames, outboxes)

    def _send_one(self, member: Member, outbox: Outbox, moved: frozenset[str], lost: frozenset[str]) -> None:
        """Send a socket what it has missed as well."""
        owed = self._owed.pop(member)
        owed.gone |= lost
        owed.moved = (owed.moved - lost) | moved
        owed.gone -= moved
        if outbox.waiting_bytes > PART_BYTES:
            self._owed[member] = owed
            return
        if texts := self._texts(owed.moved & self._lists.get(member.user_id or "", NOTHING), owed.gone):
            COUNTERS.deliveries += len(texts)
            outbox.put_frames(Frames(*texts))

    def _texts(self, keys: Iterable[str], gone: Collection[str]) -> list[str]:
        """Frames with the summaries of these keys, each of bounded size, and one with the keys that are gone."""
        texts: list[str] = []
        while keys:
            summaries, keys = self._fitting(keys)
            if summaries:
                texts.append(encode(Moved(topic=self._topic.address, items=summaries)))
        if gone:
            texts.append(encode(Gone(topic=self._topic.address, keys=sorted(gone))))
        return texts
