"""A lease in Redis for one of several publishers; another takes it after the holder died."""

import secrets
from enum import Enum
from typing import Any

from redis.exceptions import WatchError

from hubbub.process.redis_keys import delete_on_wrong_kind

MAX_LEASE_MS = 60_000  # The bound of MONITOR["LEASE_SECONDS"]: other publishers may use longer leases.
NO_END = -1  # The answer of PTTL for a key without an expiry.


class Hold(Enum):
    TAKEN = "taken"
    RENEWED = "renewed"
    REFUSED = "refused"


class Lease:
    """A lease that expires `seconds` after the last call of `hold`."""

    def __init__(self, redis: Any, key: str, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._ms = round(seconds * 1000)
        self._token = secrets.token_hex(16).encode()

    async def hold(self) -> Hold:
        """Take the lease or renew it. TAKEN also after an own lease expired: others may have held it since."""
        if await self._redis.set(self._key, self._token, nx=True, px=self._ms):
            return Hold.TAKEN
        async with delete_on_wrong_kind(self._redis, self._key):
            if await self._change_ours(self._ms):
                return Hold.RENEWED
        left_ms = await self._redis.pttl(self._key)
        if left_ms > MAX_LEASE_MS or left_ms == NO_END:
            # Redis' clock was set back, or another program wrote the key: the lease would last too long.
            await self._redis.pexpire(self._key, self._ms)
        return Hold.REFUSED

    async def release(self) -> None:
        """Release the lease for the next publisher."""
        await self._change_ours(0)

    async def _change_ours(self, ms: int) -> bool:
        # One transaction: between the comparison and the change another publisher may take the lease.
        async with self._redis.pipeline() as pipe:
            try:
                await pipe.watch(self._key)
                if await pipe.get(self._key) != self._token:
                    return False
                pipe.multi()
                if ms:
                    pipe.pexpire(self._key, ms)
                else:
                    pipe.delete(self._key)
                await pipe.execute()
                return True
            except WatchError:
                return False
