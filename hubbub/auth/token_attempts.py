"""Limits on attempts with wrong tokens: by address and by token, in this process."""

import asyncio
import functools
from collections import Counter, deque

from hubbub import conf
from hubbub.limits.client_addresses import is_shared
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import network_of


class TokenAttempts:
    """Counts wrong tokens per address and per token id.

    An attempt counts from its start, so parallel attempts cannot bypass the limit, and is given back if it succeeds.
    A distributed attack on one token must not lock out its owner: an address without recent failures is exempt from
    the limit per token.
    """

    def __init__(self, *, burst: int, per_minute: float) -> None:
        self._burst = burst
        self._by_address = Buckets(per_second=per_minute / 60, burst=burst)
        self._by_token = Buckets(per_second=per_minute / 60, burst=burst)
        # By address and by token id: attempts whose outcome is not known yet.
        self._in_flight: Counter[str | int] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begin_in_turn(self, address: str | None, token_id: int) -> float:
        """As `begin`, but waits for attempts in flight, which may succeed and free their places."""
        key = network_of(address)
        while wait := self.begin(address, token_id):
            if not (self._in_flight[key] or self._in_flight[token_id]):
                break
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # Pass the turn on.
                raise
        self._wake()
        return wait

    def begin(self, address: str | None, token_id: int) -> float:
        """Count an attempt. Returns 0.0, or the seconds until the next one is allowed."""
        key = network_of(address)
        has_no_failures = not self._by_address.wait(key, self._burst)
        wait = 0.0 if is_shared(address) else self._by_address.wait(key)
        if not wait and not has_no_failures:
            wait = self._by_token.wait(token_id)
        if not wait:
            self._by_address.charge(key)
            self._by_token.charge(token_id)
            for limited in (key, token_id):
                self._in_flight[limited] += 1
        return wait

    def end(self, address: str | None, token_id: int, *, has_failed: bool) -> None:
        """End an attempt that `begin` allowed, with the same arguments; without `has_failed` it is not counted."""
        key = network_of(address)
        if not has_failed:
            self._by_address.give_back(key)
            self._by_token.give_back(token_id)
        for limited in (key, token_id):
            self._in_flight[limited] -= 1
            if not self._in_flight[limited]:
                del self._in_flight[limited]
        self._wake()

    def _wake(self) -> None:
        """Let the longest waiting attempt try again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


@functools.cache
def token_attempts() -> TokenAttempts:
    """The attempts of this process."""
    tunables = conf.settings()
    return TokenAttempts(burst=tunables.token_failures, per_minute=tunables.token_failures_per_minute)
