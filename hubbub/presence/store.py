"""What is in Redis of presence: one hash per process, from group to users, which ends with the process's lease.

So nobody has to clear away what a dead process left, and no ghost can stay. Only simple commands. All of it may be lost
at any time; who notices writes its own part again.
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
from hubbub.process.redis_keys import cleared_of

# In names of keys, after the site's own prefix.
PREFIX = "presence"
# A field of each process's hash: when it is new, the hash had been lost. No group has this name.
LEASE = ""

GONE = -2  # PTTL's answer for a key that does not exist.
TIMEOUT_SECONDS = 2.0
# Entries of the stream that tells of changes: a minute and more of them. Who has missed one reads everything again.
MAX_CHANGES = 1_000
# Of what all processes share. Each of them writes it anew every second.
SHARED_MS = 600_000
# More than the bound of HUBBUB_PRESENCE_LEASE_SECONDS is left of a lease only after Redis' clock was set back. A living
# owner renews it; the lease of a dead one would last as much longer.
MAX_LEASE_MS = 600_000

# As `secrets.token_hex` makes them; no other process is asked for.
PROCESS_ID = re.compile(rb"[A-Za-z0-9_.:\-]{1,64}")

_unreadable = LogOnce("presence: users of a group cannot be read")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Users).decode
_decode_numbers = msgspec.msgpack.Decoder(dict[int, str]).decode


@dataclass(frozen=True, slots=True)
class News:
    """`was_lost`: what this process had written was not there any more. `alive`: the others that hold a lease.

    `changed`: by process, the groups whose users there are not what they were; None when that cannot be told.
    """

    was_lost: bool
    alive: set[str]
    changed: dict[str, set[str]] | None


class PresenceStore:
    """`process`: this one's id, which no other has or had. Every call raises what redis-py raises, or TimeoutError."""

    def __init__(self, redis: Any, process: str, lease_seconds: float) -> None:
        self._redis = redis
        self._process = process
        self._lease_ms = round(lease_seconds * 1000)
        self._others: set[str] = set()
        self._ended: set[str] = set()
        self._too_long: set[str] = set()
        # The last entry of the stream that was read.
        self._after: bytes | None = None

    async def exchange(self, groups: Mapping[str, Users]) -> News:
        """Say who is in these groups here (nobody: an empty one), keep the lease, and hear what is new."""
        others = sorted(self._others)
        key = _key(self._process)
        processes, changes = site.key(f"{PREFIX}:processes"), site.key(f"{PREFIX}:changes")
        some = {name: _encode(users) for name, users in groups.items() if users}
        async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(key, LEASE, "")
            pipe.sadd(processes, self._process)
            pipe.smembers(processes)
            pipe.xrange(changes, min=self._after or "-", max="+", count=MAX_CHANGES if self._after else 1)
            for other in others:
                pipe.pttl(_key(other))
            if some:
                pipe.hset(key, mapping=some)
            if empty := [name for name in groups if name not in some]:
                pipe.hdel(key, *empty)
            if self._ended:
                pipe.srem(processes, *self._ended)
            for other in self._too_long:
                pipe.pexpire(_key(other), self._lease_ms)
            pipe.pexpire(processes, SHARED_MS)
            pipe.pexpire(key, self._lease_ms)
            if groups or self._after is None:
                # After what it tells of: whoever reads it finds that.
                entry = {"process": self._process, "groups": " ".join(groups)}
                pipe.xadd(changes, entry, maxlen=MAX_CHANGES, approximate=True)
                pipe.pexpire(changes, SHARED_MS)
            async with cleared_of(self._redis, key, processes, changes):
                answers = await pipe.execute()
            is_new, _, members, entries, *there = answers
            left_ms = dict(zip(others, there, strict=False))
            if strange := [one for one in members if not PROCESS_ID.fullmatch(one)]:
                await self._redis.srem(processes, *strange)
            registered = {one.decode() for one in members if PROCESS_ID.fullmatch(one)} - {self._process}
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
        """Of each process, who is in these groups there. None: Redis has forgotten everything meanwhile."""
        async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            for process, groups in wanted.items():
                pipe.hmget(_key(process), list(groups))
            pipe.hexists(_key(self._process), LEASE)
            *found, is_here = await pipe.execute(raise_on_error=False)
        if not is_here or isinstance(is_here, Exception):
            return None
        return {
            process: _read(process, groups, values)
            for (process, groups), values in zip(wanted.items(), found, strict=True)
        }

    async def close(self) -> None:
        await self._redis.aclose()

    def forget(self) -> None:
        """What is known of the others may be out of date: the next exchange tells of nothing as unchanged."""
        self._after = None

    def _changed(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, set[str]] | None:
        if not entries or entries[0][0] != self._after:
            # The last one that was read is gone, so others may be gone as well.
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
    found: dict[str, Users] = {}
    if isinstance(values, Exception):
        values = [None] * len(groups)
    for group, value in zip(groups, values, strict=True):
        try:
            found[group] = _users(value) if value else {}
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            # Another release's, say. It must not keep the other groups from being read.
            _unreadable.failed(f"{group} on {process}: {error!r}")
            found[group] = {}
    return found


def _users(value: bytes) -> Users:
    try:
        return _decode(value)
    except msgspec.ValidationError:
        # A process of the release before, while it is replaced: there ids were numbers.
        return {str(user_id): name for user_id, name in _decode_numbers(value).items()}
