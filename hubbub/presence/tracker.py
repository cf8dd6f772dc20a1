"""Presence over all processes: writes who is here, hears of the others, and tells the members of each group in time.

Each process has its own part in Redis (see presence_store) and tells its own members, at most once a second a group.
Nobody waits for Redis but `run`; while it is away everything stays as it was last known.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from hubbub import conf
from hubbub.presence.store import TIMEOUT_SECONDS, News, PresenceStore
from hubbub.presence.topic_presence import Announce, People
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.periodic import Periodic
from hubbub.process.redis_client import connect
from hubbub.protocol import encode
from hubbub.site.lease import on_connect

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# Between two rounds when somebody waits for an answer, or more is to do than fits into one.
MIN_SECONDS = 0.1

# A group of more than this many is told and written less often than every second, in proportion: what a crowd's
# presence costs is bounded.
USERS_PER_SECOND = 1_000

# Of one round: a few milliseconds' worth. The rest has its turn in the next.
GROUPS_WRITTEN = 100
GROUPS_READ = 200
TOLD_PER_TURN = 400

# Tell the members of the group in this process, when it is their turn, what the function makes then: see `Group.tell`.
Tell = Callable[[str, Callable[[], str | None]], None]


class Tracker:
    """All groups of this process whose people are watched. Everything here runs in one event loop."""

    def __init__(self, tell: Tell, *, url: str, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._tell = tell
        self._interval = interval_seconds
        self._grace = conf.settings().presence_grace_seconds
        self._lease = conf.settings().presence_lease_seconds
        # Not the process's name or number: those come again, and what they had left would seem alive.
        # No retries: after a failure it is not known what has been done, and all is done again.
        redis = connect(url, seconds=TIMEOUT_SECONDS, on_connect=on_connect)
        self._store = PresenceStore(redis, secrets.token_hex(8), self._lease)
        self._groups: dict[str, People] = {}
        # When each stops being present, soonest first.
        self._leaving: dict[tuple[People, str], float] = {}
        self._unwritten: dict[People, None] = {}
        self._untold: dict[People, None] = {}
        # Of which process, which group.
        self._unread: dict[tuple[str, People], None] = {}
        # Not read from all other processes yet, so not told either.
        self._unknown: set[People] = set()
        self._writing: list[People] = []
        self._alive: set[str] = set()
        self._log = LogOnce("presence: exchange failed, presence is frozen")
        self._rounds = Periodic(
            self._round, seconds=self._interval, log=self._log, pause_seconds=min(MIN_SECONDS, self._interval)
        )
        self._has_begun = False
        self._now = 0.0
        # Until then others write again what Redis has forgotten: who is missing may only be late.
        self._settled_at = 0.0

    def watch(self, name: str, announce: Announce) -> People:
        """From now on tell the group's members here who comes and goes."""
        people = self._groups.get(name)
        if people is None:
            people = self._groups[name] = People(self, name)
        people.announce = announce
        self._unknown.add(people)
        self._read_again(people, self._alive)
        self._rounds.wake()
        return people

    def unwatch(self, name: str) -> None:
        """The group has no members here any more; who has just left is still present for the grace."""
        people = self._groups[name]
        people.announce = people.told = None
        people.elsewhere = {}
        self._unknown.discard(people)
        self._untold.pop(people, None)
        self._put_away(people)

    def stays(self, people: People, user_id: str) -> None:
        self._leaving.pop((people, user_id), None)

    def leaves(self, people: People, user_id: str) -> None:
        self._leaving[people, user_id] = asyncio.get_running_loop().time() + self._grace

    def has_changed(self, people: People) -> None:
        self._unwritten[people] = self._untold[people] = None

    async def run(self) -> None:
        """Exchange once a second, or when woken, until cancelled."""
        await self._rounds.run()

    async def close(self) -> None:
        """To be called when `run` has ended: gives back its connection."""
        await self._store.close()

    # A round: write, hear, read, tell

    async def _round(self) -> None:
        self._now = asyncio.get_running_loop().time()
        try:
            await self._exchange()
        except Exception:
            if not self._log.is_on:
                COUNTERS.presence_losses += 1
            # How much of the round was carried out is not known, nor what others did meanwhile.
            self._begin_anew()
            raise

    async def _exchange(self) -> None:
        self._let_go()
        self._writing = self._next_to_write()
        for people in self._writing:
            del self._unwritten[people]
        news = await self._store.exchange({people.name: people.here for people in self._writing})
        self._has_written()
        self._hear(news)
        await self._read()
        for people in self._unknown - {people for _, people in self._unread}:
            self._unknown.discard(people)
            self._untold[people] = None
        await self._tell_all()
        if self._unread or len(self._unwritten) > GROUPS_WRITTEN:
            self._rounds.wake()

    def _let_go(self) -> None:
        while self._leaving:
            (people, user_id), at = next(iter(self._leaving.items()))
            if at > self._now:
                break
            people.remove(user_id)

    def _next_to_write(self) -> list[People]:
        due: list[People] = []
        users = 0
        for people in self._unwritten:
            if people.write_at <= self._now:
                due.append(people)
                users += len(people.here)
                if len(due) >= GROUPS_WRITTEN or users >= USERS_PER_SECOND:
                    break
        return due

    def _has_written(self) -> None:
        written, self._writing = self._writing, []
        for people in written:
            people.write_at = self._now + len(people.here) / USERS_PER_SECOND
            self._put_away(people)

    def _hear(self, news: News) -> None:
        if news.was_lost and self._has_begun:
            self._was_forgotten()
        self._has_begun = True
        if self._settled_at and self._settled_at <= self._now:
            self._settled_at = 0.0
            self._untold |= dict.fromkeys(self._watched())
        ended, begun = self._alive - news.alive, news.alive - self._alive
        self._alive = news.alive
        if news.changed is None or ended or begun:
            for people in self._watched():
                self._read_again(people, self._alive if news.changed is None else begun)
                for process in ended & people.elsewhere.keys():
                    del people.elsewhere[process]
                    self._untold[people] = None
        for process, names in (news.changed or {}).items():
            for name in names:
                if (changed := self._groups.get(name)) is not None:
                    self._unread[process, changed] = None

    async def _read(self) -> None:
        wanted: dict[str, list[str]] = {}
        for process, people in [*islice(self._unread, GROUPS_READ)]:
            if process in self._alive and people.announce is not None:
                wanted.setdefault(process, []).append(people.name)
            else:
                del self._unread[process, people]
        if not wanted:
            return
        # What changes while this is read is told by the next exchange, and read again.
        found = await self._store.read(wanted)
        if found is None:
            self._was_forgotten()
            return
        for process, groups in found.items():
            for name, users in groups.items():
                people_read = self._groups.get(name)
                if people_read is None or people_read.announce is None:
                    continue
                self._unread.pop((process, people_read), None)
                if users != people_read.elsewhere.get(process, {}):
                    people_read.elsewhere[process] = users
                    self._untold[people_read] = None

    async def _tell_all(self) -> None:
        told = 0
        for people in [*self._untold]:
            if people in self._unknown or people.tell_at > self._now:
                continue
            self._untold.pop(people, None)
            told += self._tell_one(people)
            if told >= TOLD_PER_TURN:
                told = 0
                await asyncio.sleep(0)

    def _tell_one(self, people: People) -> int:
        """How many sockets it is for."""
        if people.announce is None:
            return 0
        self._tell(people.name, partial(self._current, people))
        return len(people.sockets)

    def _current(self, people: People) -> str | None:
        """The frame that tells those who are members now what has changed for them; None: nothing."""
        if people.announce is None or (change := people.change(keep=self._settled_at > 0)) is None:
            return None
        if not people.sockets:
            return None
        # A timer may come a little early: it is the next round all the same.
        people.tell_at = self._now + max(self._interval, change.count / USERS_PER_SECOND) - MIN_SECONDS / 2
        COUNTERS.presence_changes += 1
        try:
            frame = people.announce(people.name, change)
            return frame if isinstance(frame, str) else encode(frame)
        except Exception:
            logger.exception("presence: change in %s not announced", people.name)
            return None

    # After trouble

    def _was_forgotten(self) -> None:
        COUNTERS.presence_losses += 1
        logger.warning("presence: data lost in Redis, writing it again")
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._store.forget()
        self._settled_at = self._now + self._lease
        for people in self._groups.values():
            if people.here or people in self._writing:
                self._unwritten[people] = None
            if people.announce is not None:
                self._read_again(people, self._alive)
        self._writing = []

    def _read_again(self, people: People, processes: Iterable[str]) -> None:
        for process in processes:
            self._unread[process, people] = None

    def _watched(self) -> list[People]:
        return [people for people in self._groups.values() if people.announce is not None]

    def _put_away(self, people: People) -> None:
        """Forget a group that nobody is in, nobody watches, and Redis has nothing of from us."""
        # What is just being written may have to be written again.
        is_written = people not in self._unwritten and people not in self._writing
        if people.announce is None and not people.here and is_written:
            self._groups.pop(people.name, None)
