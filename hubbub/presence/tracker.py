"""Presence over all processes: writes local users to Redis, reads those of other processes, announces changes.

Each process writes its own part (see `store`) and sends changes to its own members, at most once a second per group.
Only `run` waits for Redis; while Redis is away, presence is frozen.
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
from hubbub.process.pacing import WRITES_PER_TURN, Pace
from hubbub.process.periodic import Periodic
from hubbub.process.redis_client import connect
from hubbub.protocol import encode
from hubbub.site.lease import on_connect

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# Between two rounds after `watch`, or while work is left over.
MIN_SECONDS = 0.1

# Larger groups are written and announced less often, in proportion, so that a crowd's presence has a bounded cost.
USERS_PER_SECOND = 1_000

# Bounds of one round, a few milliseconds of work. The rest waits for the next.
GROUPS_WRITTEN = 100
GROUPS_READ = 200

# Send the function's current result to the group's members in this process: see `Group.send_current`.
SendCurrent = Callable[[str, Callable[[], str | None]], None]


class Tracker:
    """Presence of all watched groups of one event loop.

    Args:
        send_current: sends a frame to the members of a group.
        url: of Redis.
        interval_seconds: between two rounds.
    """

    def __init__(self, send_current: SendCurrent, *, url: str, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._send_current = send_current
        self._interval = interval_seconds
        self._grace = conf.settings().presence_grace_seconds
        self._lease = conf.settings().presence_lease_seconds
        # Without retries: after a failure everything is written again.
        redis = connect(url, seconds=TIMEOUT_SECONDS, on_connect=on_connect)
        # A random id: names and pids come again, and would revive the leftovers of a dead process.
        self._store = PresenceStore(redis, secrets.token_hex(8), self._lease)
        self._groups: dict[str, People] = {}
        # When each user stops being present, soonest first.
        self._leaving: dict[tuple[People, str], float] = {}
        self._unwritten: dict[People, None] = {}
        self._unannounced: dict[People, None] = {}
        # (process, group) to read.
        self._unread: dict[tuple[str, People], None] = {}
        # Not read from all other processes yet, so not announced.
        self._incomplete: set[People] = set()
        self._writing: list[People] = []
        self._alive: set[str] = set()
        self._log = LogOnce("presence: exchange failed, presence is frozen")
        self._rounds = Periodic(
            self._round, seconds=lambda: self._interval, log=self._log, pause_seconds=min(MIN_SECONDS, self._interval)
        )
        self._has_begun = False
        self._now = 0.0
        # Until then other processes write lost data again: nobody is announced as left.
        self._settled_at = 0.0

    def watch(self, name: str, announce: Announce) -> People:
        """Announce joins and leaves to the group's members here from now on.

        Args:
            name: of the group.
            announce: makes the frame of each change.
        """
        people = self._groups.get(name)
        if people is None:
            people = self._groups[name] = People(self, name)
        people.announce = announce
        self._incomplete.add(people)
        self._read_again(people, self._alive)
        self._rounds.wake()
        return people

    def unwatch(self, name: str) -> None:
        """Stop announcing: the group has no members here. Users in their grace stay present."""
        people = self._groups[name]
        people.announce = people.announced = None
        people.remote_users = {}
        self._incomplete.discard(people)
        self._unannounced.pop(people, None)
        self._forget_if_unused(people)

    def cancel_removal(self, people: People, user_id: str) -> None:
        self._leaving.pop((people, user_id), None)

    def schedule_removal(self, people: People, user_id: str) -> None:
        self._leaving[people, user_id] = asyncio.get_running_loop().time() + self._grace

    def has_changed(self, people: People) -> None:
        self._unwritten[people] = self._unannounced[people] = None

    async def run(self) -> None:
        """Exchange once a second, or when woken, until cancelled."""
        await self._rounds.run()

    async def close(self) -> None:
        """Close the connection, after `run` has ended."""
        await self._store.close()

    # A round: write, apply news, read, announce

    async def _round(self) -> None:
        self._now = asyncio.get_running_loop().time()
        try:
            await self._exchange()
        except Exception:
            if not self._log.is_failing:
                COUNTERS.presence_losses += 1
            # It is unknown how much of the round was carried out.
            self._restart()
            raise

    async def _exchange(self) -> None:
        self._remove_expired()
        self._writing = self._next_to_write()
        for people in self._writing:
            del self._unwritten[people]
        news = await self._store.exchange({people.name: people.local_users for people in self._writing})
        self._finish_writing()
        self._apply(news)
        await self._read()
        for people in self._incomplete - {people for _, people in self._unread}:
            self._incomplete.discard(people)
            self._unannounced[people] = None
        await self._announce_all()
        if self._unread or len(self._unwritten) > GROUPS_WRITTEN:
            self._rounds.wake()

    def _remove_expired(self) -> None:
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
                users += len(people.local_users)
                if len(due) >= GROUPS_WRITTEN or users >= USERS_PER_SECOND:
                    break
        return due

    def _finish_writing(self) -> None:
        written, self._writing = self._writing, []
        for people in written:
            people.write_at = self._now + len(people.local_users) / USERS_PER_SECOND
            self._forget_if_unused(people)

    def _apply(self, news: News) -> None:
        if news.was_lost and self._has_begun:
            self._on_loss()
        self._has_begun = True
        if self._settled_at and self._settled_at <= self._now:
            self._settled_at = 0.0
            self._unannounced |= dict.fromkeys(self._watched())
        ended, begun = self._alive - news.alive, news.alive - self._alive
        self._alive = news.alive
        if news.changed is None or ended or begun:
            for people in self._watched():
                self._read_again(people, self._alive if news.changed is None else begun)
                for process in ended & people.remote_users.keys():
                    del people.remote_users[process]
                    self._unannounced[people] = None
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
        # Changes during this read are in the news of the next exchange, and read again.
        read = await self._store.read(wanted)
        if read is None:
            self._on_loss()
            return
        for process, groups in read.items():
            for name, users in groups.items():
                people_read = self._groups.get(name)
                if people_read is None or people_read.announce is None:
                    continue
                self._unread.pop((process, people_read), None)
                if users != people_read.remote_users.get(process, {}):
                    people_read.remote_users[process] = users
                    self._unannounced[people_read] = None

    async def _announce_all(self) -> None:
        pace = Pace(WRITES_PER_TURN)
        for people in [*self._unannounced]:
            if people in self._incomplete or people.announce_at > self._now:
                continue
            self._unannounced.pop(people, None)
            await pace.did(self._announce(people))

    def _announce(self, people: People) -> int:
        """Announce the changes of one group. Returns to how many sockets."""
        if people.announce is None:
            return 0
        self._send_current(people.name, partial(self._current, people))
        return len(people.sockets)

    def _current(self, people: People) -> str | None:
        """The frame with the changes for the present members; None: no changes."""
        if people.announce is None or (change := people.change(keep=self._settled_at > 0)) is None:
            return None
        if not people.sockets:
            return None
        # Half a step of tolerance: a timer may fire early.
        people.announce_at = self._now + max(self._interval, change.count / USERS_PER_SECOND) - MIN_SECONDS / 2
        COUNTERS.presence_changes += 1
        try:
            frame = people.announce(people.name, change)
            return frame if isinstance(frame, str) else encode(frame)
        except Exception:
            logger.exception("presence: change in %s not announced", people.name)
            return None

    # After a loss

    def _on_loss(self) -> None:
        COUNTERS.presence_losses += 1
        logger.warning("presence: data lost in Redis, writing it again")
        self._restart()

    def _restart(self) -> None:
        self._store.forget()
        self._settled_at = self._now + self._lease
        for people in self._groups.values():
            if people.local_users or people in self._writing:
                self._unwritten[people] = None
            if people.announce is not None:
                self._read_again(people, self._alive)
        self._writing = []

    def _read_again(self, people: People, processes: Iterable[str]) -> None:
        for process in processes:
            self._unread[process, people] = None

    def _watched(self) -> list[People]:
        return [people for people in self._groups.values() if people.announce is not None]

    def _forget_if_unused(self, people: People) -> None:
        """Forget a group without users here, without a watcher, and without data of this process in Redis."""
        # A write in progress may have to be repeated.
        is_written = people not in self._unwritten and people not in self._writing
        if people.announce is None and not people.local_users and is_written:
            self._groups.pop(people.name, None)
