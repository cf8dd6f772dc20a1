"""Quotas of two users, and posts counted against them."""

from hubbub.conf import Hubbub
from hubbub.limits.quotas import Quotas
from tests.support.clock import Clock

ALICE, BOB = "1", "2"


def quotas_of(clock: Clock, **tunables: float) -> Quotas:
    return Quotas(Hubbub(**tunables), clock)


def posted(quotas: Quotas, user_id: str, times: int) -> int:
    """How many of so many posts were let through."""
    return sum(quotas.refuse(user_id, is_post=True) is None for _ in range(times))
