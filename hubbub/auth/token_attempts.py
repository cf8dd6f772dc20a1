"""How often a wrong token may be tried: by address and by token, in this process."""

import asyncio
import functools
from collections import Counter, deque

from hubbub import conf
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import is_shared, network_of


class TokenAttempts:
    """Wrong tokens: how many an address may send, and how many may be sent for one token.

    A try counts from its beginning, or many at once would all be the first, and does not if it succeeds. Who guesses at
    a token from everywhere must not shut out its owner: an address with no wrong token of late is heard regardless.
    """

    def __init__(self, *, burst: int, per_minute: float) -> None:
        self._burst = burst
        self._by_address = Buckets(per_second=per_minute / 60, burst=burst)
        self._by_token = Buckets(per_second=per_minute / 60, burst=burst)
        # By address and by token: tries whose outcome is not known yet.
        self._under_way: Counter[str | int] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begun(self, address: str | None, token_id: int) -> float:
        """As `begin`; but while others are under way that may turn out well, this one waits for their outcome."""
        key = network_of(address)
        while wait := self.begin(address, token_id):
            if not (self._under_way[key] or self._under_way[token_id]):
                break
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # It was this one's turn.
                raise
        self._wake()
        return wait

    def begin(self, address: str | None, token_id: int) -> float:
        """0.0, or the seconds until there may be another try."""
        key = network_of(address)
        is_blameless = not self._by_address.wait(key, self._burst)
        wait = 0.0 if is_shared(address) else self._by_address.wait(key)
        if not wait and not is_blameless:
            wait = self._by_token.wait(token_id)
        if not wait:
            self._by_address.charge(key)
            self._by_token.charge(token_id)
            for one in (key, token_id):
                self._under_way[one] += 1
        return wait

    def end(self, address: str | None, token_id: int, *, has_failed: bool) -> None:
        """Only those that failed count."""
        key = network_of(address)
        if not has_failed:
            self._by_address.give_back(key)
            self._by_token.give_back(token_id)
        for one in (key, token_id):
            self._under_way[one] -= 1
            if not self._under_way[one]:
                del self._under_way[one]
        self._wake()

    def _wake(self) -> None:
        """Whoever waits longest looks again; then it is the next one's turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


@functools.cache
def token_attempts() -> TokenAttempts:
    """Those of this process."""
    tunables = conf.settings()
    return TokenAttempts(burst=tunables.token_failures, per_minute=tunables.token_failures_per_minute)
