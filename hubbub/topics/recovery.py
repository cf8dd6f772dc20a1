"""The record of topics, as the hub reads it: repairs of logs, positions, re-checks."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator

from hubbub import conf, threads
from hubbub.delivery.recovery import Changes, Recovery, StreamPosition
from hubbub.process.per_loop import PerLoop
from hubbub.topics import log_reading, pools, positions, reading
from hubbub.topics.addresses import address_of_group
from hubbub.topics.interface import LiveTopic
from hubbub.topics.topic import topic_at, topics

# All open topics are compared at least this often, beside those that changed.
FULL_SECONDS = 60.0
# A transaction that was open when a comparison began may commit changes of an earlier time.
OVERLAP_MS = 10_000

# Of users in topics. More checks than the second are a sweep, which leaves four fifths of a thread to others.
CHECKS_PER_JOB = 500
UNPACED_CHECKS = 5_000
SHARE_OF_THREAD = 0.25


def find(address: str) -> LiveTopic | None:
    """The topic of an address, on any endpoint."""
    return topic_at(address, topics())


def is_watch(group: str) -> bool:
    """Whether the topic of the group is a `Watch`."""
    cls = topics().get(address_of_group(group).partition("/")[0])
    return cls is not None and cls.kind == "watch"


class Comparison:
    """Reads the positions that changed since the last comparison, so that its cost does not rise with open topics."""

    def __init__(self) -> None:
        # By database: the time of its clock before the last successful read, and the epoch then.
        self._since: dict[str, tuple[int, str]] = {}
        self._read_at = 0.0
        self._next = 0

    async def read_all(self, groups: list[str]) -> dict[str, StreamPosition]:
        """Read the positions of all these groups."""
        self._since = {}
        return await threads.read(reading.read_positions, find, groups)

    async def read_changed(self, groups: list[str]) -> dict[str, StreamPosition | None]:
        """Read the positions of those groups that changed, and of the next slice of the others. None: it has ended."""
        since, self._since = self._since, {}  # A failure leaves it empty: the next comparison reads everything.
        if time.monotonic() - self._read_at > FULL_SECONDS:
            since = {}  # No topic was open meanwhile: all that changed since would be more than is open now.
        # A list compares what is in it by itself; it is asked to only where hints may be lost.
        groups = [group for group in groups if not is_watch(group)]
        share = math.ceil(len(groups) * conf.settings().reconcile_seconds / FULL_SECONDS)
        start = self._next if self._next < len(groups) else 0
        slice_ = sorted(groups)[start : start + share]
        self._next = start + share
        found, read_at = await threads.read(_read_changed, {*groups}, slice_, since)
        self._since, self._read_at = read_at, time.monotonic()
        return found


def _read_changed(
    groups: set[str], also: list[str], since: dict[str, tuple[int, str]]
) -> tuple[dict[str, StreamPosition | None], dict[str, tuple[int, str]]]:
    by_address = {address_of_group(group): group for group in groups}
    by_database: dict[str, list[str]] = {}
    classes = topics()
    for address, group in by_address.items():
        if (cls := classes.get(address.partition("/")[0])) is None:
            continue
        if cls.has_own_positions:
            also.append(group)  # All in one query: their tables have no index by time.
        else:
            by_database.setdefault(cls.database, []).append(group)
    found: dict[str, StreamPosition | None] = {}
    read_at: dict[str, tuple[int, str]] = {}
    for database, own in by_database.items():
        now = positions.read_clock(database), positions.read_epoch(database)
        before_ms, epoch = since.get(database, (0, ""))
        read_at[database] = now
        if epoch != now[1]:  # Never read, or renewed: all positions are void.
            found |= reading.read_positions(find, own)
            continue
        changed = positions.read_changed(database, before_ms - OVERLAP_MS)
        found |= {by_address[address]: position for address, position in changed.items() if address in by_address}
    return found | dict.fromkeys(also) | reading.read_positions(find, also), read_at


comparison = PerLoop(Comparison)


async def _read_changes(group: str, after: int) -> Changes:
    name = address_of_group(group).partition("/")[0]
    return await pools.readers().run(name, log_reading.read_changes, find, group, after)


async def _read_positions(groups: list[str]) -> dict[str, StreamPosition]:
    return await comparison().read_all(groups)


async def _read_changed_positions(groups: list[str]) -> dict[str, StreamPosition | None]:
    return await comparison().read_changed(groups)


async def _find_revoked(users: dict[str, set[str]]) -> AsyncIterator[dict[str, dict[str, str]]]:
    """In jobs of bounded time: `may_view` of a feature may take a query for each user and topic."""
    is_paced = sum(map(len, users.values())) > UNPACED_CHECKS
    for part in _in_parts(users):
        rest = part
        while rest:
            began = asyncio.get_running_loop().time()
            found, rest = await threads.read(reading.find_denied, find, rest)
            seconds = asyncio.get_running_loop().time() - began
            yield found
            if is_paced:
                await asyncio.sleep(seconds / SHARE_OF_THREAD)


def _in_parts(users: dict[str, set[str]]) -> Iterator[dict[str, set[str]]]:
    part: dict[str, set[str]] = {}
    for number, (group, user_id) in enumerate((group, user_id) for group, ids in users.items() for user_id in ids):
        if number and number % CHECKS_PER_JOB == 0:
            yield part
            part = {}
        part.setdefault(group, set()).add(user_id)
    if part:
        yield part


RECOVERY = Recovery(_read_changes, _read_positions, _find_revoked, _read_changed_positions)
