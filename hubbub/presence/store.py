"""Presence in Redis: one hash per process, from group to users, that expires with the lease of the process.

The data of a dead process expires by itself, so no ghosts stay. All of it may be lost at any time: each process then
writes its own part again.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub import site
from hubbub.presence.topic_presence import Users
from hubbub.process.log_once import LogOnce
from hubbub.process.redis_keys import delete_on_wrong_kind

# In key names, after the prefix of the site.
PREFIX = "presence"
# A field of each hash; if it is new, the hash was lost. No group has this name.
LEASE = ""

GONE = -2  # PTTL's answer for a key that does not exist.
TIMEOUT_SECONDS = 2.0
# Length of the change stream, more than a minute. A process that missed an entry reads everything again.
MAX_CHANGES = 1_000
# Expiry of shared keys; each process renews it every second.
SHARED_MS = 600_000
# The bound of HUBBUB["PRESENCE_LEASE_SECONDS"]. A lease has more left only after Redis' clock was set back; that of a
# dead process would last too long and is shortened.
MAX_LEASE_MS = 600_000

# Other members of the set are not ours and are removed.
PROCESS_ID = re.compile(rb"[A-Za-z0-9_.:\-]{1,64}")

_unreadable = LogOnce("presence: users of a group cannot be read")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Users).decode
_decode_numbers = msgspec.msgpack.Decoder(dict[int, str]).decode


@dataclass(frozen=True, slots=True)
class News:
    """The result of an exchange.

    Attributes:
        was_lost: the data of this process was not there any more.
        alive: other processes with a lease.
        changed: by process, groups whose users changed; None: unknown, read everything.
    """

    was_lost: bool
    alive: set[str]
    changed: dict[str, set[str]] | None


class PresenceStore:
    """The presence keys of one process. Every call may raise the errors of redis-py, or TimeoutError.

    Args:
        redis: an asyncio client.
        process: an id that no other process has or had.
        lease_seconds: how long the data outlives the process.
    """

    def __init__(self, redis: Any, process: str, lease_seconds: float) -> None:
        self._redis = redis
        self._process = process
        self._lease_ms = round(lease_seconds * 1000)
        self._others: set[str] = set()
        self._ended: set[str] = set()
        self._too_long: set[str] = set()
        # The last entry read from the change stream.
        self._after: bytes | None = None

    async def exchange(self, groups: Mapping[str, Users]) -> News:
        """Write the users of these groups (empty: remove the group), renew the lease, and read the news."""
        others = sorted(self._others)
        key = _key(self._process)
        processes, changes = site.key(f"{PREFIX}:processes"), site.key(f"{PREFIX}:changes")
        occupied = {name: _encode(users) for name, users in groups.items() if users}
        async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(key, LEASE, "")
            pipe.sadd(processes, self._process)
            pipe.smembers(processes)
            pipe.xrange(changes, min=self._after or "-", max="+", count=MAX_CHANGES if self._after else 1)
            for other in others:
                pipe.pttl(_key(other))
            if occupied:
                pipe.hset(key, mapping=occupied)
            if empty := [name for name in groups if name not in occupied]:
                pipe.hdel(key, *empty)
            if self._ended:
                pipe.srem(processes, *self._ended)
            for other in self._too_long:
                pipe.pexpire(_key(other), self._lease_ms)
            pipe.pexpire(processes, SHARED_MS)
            pipe.pexpire(key, self._lease_ms)
            if groups or self._after is None:
                # After the data: a reader of the entry must find the change.
                entry = {"process": self._process, "groups": " ".join(groups)}
                pipe.xadd(changes, entry, maxlen=MAX_CHANGES, approximate=True)
                pipe.pexpire(changes, SHARED_MS)
            async with delete_on_wrong_kind(self._redis, key, processes, changes):
                answers = await pipe.execute()
            is_new, _, members, entries, *rest = answers
            left_ms = dict(zip(others, rest, strict=False))
            if invalid := [member for member in members if not PROCESS_ID.fullmatch(member)]:
                await self._redis.srem(processes, *invalid)
            registered = {member.decode() for member in members if PROCESS_ID.fullmatch(member)} - {self._process}
            if unknown := sorted(registered - self._others):
                for other in unknown:
                    pipe.pttl(_key(other))
                left_ms |= dict(zip(unknown, await pipe.execute(), strict=True))
        alive = {other for other, ms in left_ms.items() if ms != GONE}
        self._too_long = {other for other, ms in left_ms.items() if ms > MAX_LEASE_MS}
        self._others, self._ended = alive, registered - alive
        if self._after is None:
            self._after = answers[-2]
            changed = None
        else:
            changed = self._changed(entries)
        return News(bool(is_new), {*alive}, changed)

    async def read(self, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, Users]] | None:
        """Read groups of other processes. None: the data was lost meanwhile."""
        async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            for process, groups in wanted.items():
                pipe.hmget(_key(process), list(groups))
            pipe.hexists(_key(self._process), LEASE)
            *replies, is_here = await pipe.execute(raise_on_error=False)
        if not is_here or isinstance(is_here, Exception):
            return None
        return {
            process: _read(process, groups, values)
            for (process, groups), values in zip(wanted.items(), replies, strict=True)
        }

    async def close(self) -> None:
        await self._redis.aclose()

    def forget(self) -> None:
        """Make the next exchange report that everything may have changed."""
        self._after = None

    def _changed(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, set[str]] | None:
        if not entries or entries[0][0] != self._after:
            # The last entry read is gone, so later ones may be gone as well.
            self._after = None
            return None
        changed: dict[str, set[str]] = {}
        for _, entry in entries[1:]:
            process = entry.get(b"process", b"").decode(errors="replace")
            if process != self._process:
                groups = entry.get(b"groups", b"").decode(errors="replace").split()
                changed[process] = changed.get(process, set()) | {*groups}
        self._after = entries[-1][0]
        return changed


def _key(process: str) -> str:
    return site.key(f"{PREFIX}:process:{process}")


def _read(process: str, groups: Collection[str], values: list[bytes | None] | Exception) -> dict[str, Users]:
    users: dict[str, Users] = {}
    if isinstance(values, Exception):
        values = [None] * len(groups)
    for group, value in zip(groups, values, strict=True):
        try:
            users[group] = _users(value) if value else {}
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            # From another release, maybe. Other groups must still be read.
            _unreadable.failed(f"{group} on {process}: {error!r}")
            users[group] = {}
    return users


def _users(value: bytes) -> Users:
    # A card is a name alone wherever it can be: the previous release reads nothing else, and takes the group for empty.
    try:
        return _decode(value)
    except msgspec.ValidationError:
        # From the previous release, during a rolling restart: its ids were numbers.
        return {str(user_id): name for user_id, name in _decode_numbers(value).items()}
