"""Token buckets: burst, refill, bounded memory."""

import time

import pytest

from hubbub.limits.token_buckets import Buckets, Strikes
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> Buckets:
    """Two a second, five at once."""
    return Buckets(per_second=2, burst=5, max_keys=100, clock=clock)


def test_a_burst_goes_at_once_and_no_more(buckets: Buckets) -> None:
    assert [buckets.take("alice") for _ in range(5)] == [0.0] * 5
    assert buckets.take("alice") == pytest.approx(0.5)


@pytest.mark.parametrize("now", [0.1, 1234.567, 987_654_321.1])
def test_rounding_costs_no_token(clock: Clock, now: float) -> None:
    clock.now = now
    buckets = Buckets(per_second=0.3, burst=100, clock=clock)
    assert [buckets.take("alice") for _ in range(101)].count(0.0) == 100


def test_a_refusal_takes_no_tokens(buckets: Buckets, clock: Clock) -> None:
    for _ in range(100):
        buckets.take("alice")
    clock.now += 0.5
    assert buckets.take("alice") == 0.0
    assert buckets.take("alice") > 0


def test_the_wait_that_it_tells_is_the_wait_that_it_takes(buckets: Buckets, clock: Clock) -> None:
    for _ in range(5):
        buckets.take("alice")
    wait = buckets.take("alice", 3)
    clock.now += wait - 0.001
    assert buckets.take("alice", 3) > 0
    clock.now += 0.002
    assert buckets.take("alice", 3) == 0.0


def test_a_steady_rate_is_never_refused(buckets: Buckets, clock: Clock) -> None:
    for _ in range(1000):
        assert buckets.take("alice") == 0.0
        clock.now += 0.5


def test_a_long_silence_saves_up_no_more_than_a_burst(buckets: Buckets, clock: Clock) -> None:
    buckets.take("alice")
    clock.now += 1_000_000
    assert [buckets.take("alice") for _ in range(6)].count(0.0) == 5


def test_one_key_does_not_pay_for_another(buckets: Buckets) -> None:
    for _ in range(50):
        buckets.take("mallory")
    assert buckets.take("alice") == 0.0


def test_a_check_takes_no_token(buckets: Buckets) -> None:
    for _ in range(50):
        assert buckets.wait("alice", 5) == 0.0
    assert len(buckets) == 0


def test_remote_usage_makes_a_bounded_debt(buckets: Buckets, clock: Clock) -> None:
    buckets.charge("alice", 7)
    assert buckets.wait("alice") == pytest.approx(1.5)
    buckets.charge("alice", 1_000_000)
    assert buckets.wait("alice") == pytest.approx(3.0)
    clock.now += 3.01
    assert buckets.take("alice") == 0.0


def test_a_flood_of_keys_is_kept_within_bounds_and_the_latest_stay(buckets: Buckets) -> None:
    for number in range(10_000):
        buckets.charge(number, 5)
    assert len(buckets) == 100
    assert buckets.wait(9_999) > 0
    assert buckets.wait(0) == 0.0


def test_an_active_key_is_not_forgotten_in_a_flood_of_keys(buckets: Buckets) -> None:
    for number in range(1_000):
        buckets.charge(number)
        buckets.charge("mallory")
    assert buckets.wait("mallory") > 0


def test_full_buckets_are_not_kept(buckets: Buckets, clock: Clock) -> None:
    for number in range(50):
        buckets.charge(number)
    clock.now += 10
    for _ in range(50):
        buckets.charge("alice")
    assert len(buckets) == 1


def test_returned_slots_can_be_taken_again_and_no_more(buckets: Buckets, clock: Clock) -> None:
    for _ in range(4):
        buckets.take("alice")
    buckets.give_back("alice")
    assert [buckets.take("alice") > 0 for _ in range(3)] == [False, False, True]
    clock.now += 100
    buckets.give_back("alice")
    buckets.give_back("nobody")
    assert [buckets.take("alice") > 0 for _ in range(6)] == [False] * 5 + [True]


def test_out_after_so_many_strikes_and_not_before() -> None:
    strikes = Strikes(3, seconds=60)
    assert [strikes.add() for _ in range(4)] == [False, False, True, True]


def test_strikes_of_long_ago_do_not_count() -> None:
    strikes = Strikes(2, seconds=0.0)
    strikes.add()
    while time.monotonic() == strikes._times[0]:
        pass
    assert not strikes.add()
