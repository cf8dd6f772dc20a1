"""Quotas of a user: bursts, long-term rates, floods."""

import logging
from collections import Counter
from typing import Any

import pytest

from hubbub.limits.quotas import MAX_REPORTED, Quotas, UnknownSlot
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused
from tests.support.clock import Clock
from tests.support.quotas import ALICE, BOB, posted, quotas_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quotas(clock: Clock) -> Quotas:
    return quotas_of(clock)


def test_thirty_posts_go_at_once_and_ten_a_second_after_that(quotas: Quotas, clock: Clock) -> None:
    assert posted(quotas, ALICE, 100) == 30
    clock.now += 1
    assert posted(quotas, ALICE, 100) == 10


def test_a_flooding_user_takes_nothing_from_others(quotas: Quotas) -> None:
    posted(quotas, ALICE, 10_000)
    assert posted(quotas, BOB, 30) == 30


def test_commands_have_a_limit_of_their_own(quotas: Quotas) -> None:
    assert posted(quotas, ALICE, 100) == 30
    # The hundred posts were commands, too.
    assert sum(quotas.refuse(ALICE, is_post=False) is None for _ in range(300)) == 100


def test_a_refusal_says_when_it_may_be_sent_again_and_that_is_true(quotas: Quotas, clock: Clock) -> None:
    posted(quotas, ALICE, 30)
    refused = quotas.refuse(ALICE, is_post=True)
    assert refused is not None
    assert (refused.code, refused.retry_after_ms) == (ErrorCode.RATE_LIMITED, pytest.approx(100, abs=1))
    assert refused.retry_after_ms
    clock.now += refused.retry_after_ms / 1000
    assert posted(quotas, ALICE, 1) == 1


def test_each_refusal_is_counted_by_its_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch, proxied: None) -> None:
    monkeypatch.setattr(COUNTERS, "limited", Counter())
    monkeypatch.setattr(COUNTERS, "sockets", 3)
    quotas = quotas_of(
        clock,
        max_sockets=2,
        max_sockets_per_user=3,
        max_unauthenticated=5,
        max_unauthenticated_per_address=4,
        max_visitors=3,
        max_visitors_per_address=2,
    )
    posted(quotas, ALICE, 37)
    for _ in range(208):
        quotas.refuse(BOB, is_post=False)
        quotas.is_flooding(BOB, None, "web-1:1")
    assert quotas.is_full()
    seats = [quotas.take_user_slot(ALICE, None, "web-1:1") for _ in range(5)]
    seats += [quotas.take_unknown_slot("203.0.113.7") for _ in range(7)]
    seats += [quotas.take_unknown_slot(f"198.51.100.{number}") for number in range(5)]
    seats += [quotas.take_visitor_slot("203.0.113.7") for _ in range(3)]
    seats += [quotas.take_visitor_slot(f"198.51.100.{number}") for number in range(5)]
    assert seats.count(None) == 2 + 3 + 4 + 1 + 4
    with pytest.raises(Refused):
        quotas.check_groups({str(number) for number in range(101)})
    assert COUNTERS.limited == {
        "posts": 7,
        "commands": 8,
        "refused_commands": 8,
        "max_sockets": 1,
        "max_sockets_per_user": 2,
        "max_unauthenticated_per_address": 3,
        "max_unauthenticated": 4,
        "max_visitors_per_address": 1,
        "max_visitors": 4,
        "max_groups_per_socket": 1,
    }


def test_a_flooding_socket_is_detected_and_a_slow_one_is_not(clock: Clock) -> None:
    quotas = quotas_of(clock, refused_commands=20)
    assert [quotas.is_flooding(ALICE, None, "web-1:1") for _ in range(21)].index(True) == 20
    for _ in range(1000):
        assert not quotas.is_flooding(BOB, None, "web-1:2")
        clock.now += 0.5


def test_a_flood_is_one_line_a_minute(quotas: Quotas, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "hubbub.security")
    for _ in range(10_000):
        quotas.is_flooding(ALICE, "203.0.113.7", "web-1:1")
    assert [line.split(" ")[0] for line in caplog.messages] == ["rate_limited", "flood_closed"]
    assert "address=203.0.113.7 user=1 connection=web-1:1" in caplog.text
    clock.now += 61
    quotas.is_flooding(ALICE, "203.0.113.7", "web-1:1")
    assert len(caplog.messages) == 3


# With other processes


def test_accepted_usage_is_reported_once(quotas: Quotas) -> None:
    posted(quotas, ALICE, 50)
    assert quotas.posts.take_usage() == {ALICE: 30}
    assert quotas.commands.take_usage() == {ALICE: 50}
    assert quotas.posts.take_usage() == {}


def test_usage_of_other_processes_counts_here(quotas: Quotas, clock: Clock) -> None:
    quotas.posts.apply_remote({ALICE: 25})
    assert posted(quotas, ALICE, 100) == 5
    assert posted(quotas, BOB, 100) == 30
    assert quotas.posts.take_usage() == {ALICE: 5, BOB: 30}


def test_three_processes_that_exchange_let_no_more_through_than_one(clock: Clock) -> None:
    processes = [quotas_of(clock) for _ in range(3)]
    let_through = 0
    for _ in range(60):
        for _ in range(10):
            let_through += sum(posted(process, ALICE, 100) for process in processes)
            clock.now += 0.1
        usage = [process.posts.take_usage() for process in processes]
        for number, process in enumerate(processes):
            for other in usage[:number] + usage[number + 1 :]:
                process.posts.apply_remote(other)
    # Each burst may go once, before the others hear of it.
    assert 600 <= let_through <= 600 + 3 * 30 + 3 * 10


def test_of_very_many_users_the_heaviest_are_reported(clock: Clock) -> None:
    quotas = quotas_of(clock)
    for number in range(MAX_REPORTED + 500):
        posted(quotas, str(number), 2 if number >= 500 else 1)
    assert quotas.posts.take_usage() == dict.fromkeys(map(str, range(500, MAX_REPORTED + 500)), 2)


# Sockets


@pytest.fixture
def proxied(settings: Any) -> None:
    """Addresses are clients' own, those of this machine too."""
    settings.HUBBUB = settings.HUBBUB | {"TRUSTED_PROXIES": ["unix"]}


def seated(quotas: Quotas, address: str | None, times: int) -> int:
    return sum(quotas.take_unknown_slot(address) is not None for _ in range(times))


def test_an_address_has_so_many_sockets_without_a_user(quotas: Quotas, proxied: None) -> None:
    assert seated(quotas, "127.0.0.1", 500) == 50
    assert seated(quotas, "203.0.113.8", 1) == 1
    quotas.leave(UnknownSlot("127.0.0.1"))
    assert seated(quotas, "127.0.0.1", 500) == 1


def test_a_user_whose_id_reads_like_an_address_takes_no_place_of_that_address(quotas: Quotas, proxied: None) -> None:
    assert quotas.take_user_slot("203.0.113.8", None, "web-1:1") == "203.0.113.8"
    assert seated(quotas, "203.0.113.8", 500) == 50
    assert quotas.take_user_slot("", None, "web-1:2") == ""
    quotas.leave("203.0.113.8")
    quotas.leave("")
    assert quotas._without_user[UnknownSlot] == 50


def test_a_network_of_ipv6_is_one_address(quotas: Quotas, proxied: None) -> None:
    assert sum(seated(quotas, f"2001:db8:1:2::{number:x}", 1) for number in range(500)) == 50


def test_this_machine_may_be_a_proxy_and_all_together_are_limited_still(quotas: Quotas, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"TRUSTED_PROXIES": []}
    assert seated(quotas, "127.0.0.1", 600) + seated(quotas, None, 600) == 1000
    assert seated(quotas, "203.0.113.8", 1) == 0


def test_a_user_has_so_many_sockets(quotas: Quotas) -> None:
    assert [quotas.take_user_slot(ALICE, None, "web-1:1") for _ in range(60)].count(ALICE) == 50
    assert quotas.take_user_slot(BOB, None, "web-1:2") == BOB
    quotas.leave(ALICE)
    assert quotas.take_user_slot(ALICE, None, "web-1:3") == ALICE
    assert quotas.many_sockets() == {ALICE: 50}


def test_nothing_is_left_of_sockets_that_have_gone(quotas: Quotas, proxied: None) -> None:
    seats = [quotas.take_user_slot(ALICE, None, "web-1:1") for _ in range(60)]
    seats += [quotas.take_user_slot(user_id, None, "web-1:1") for user_id in map(str, range(2, 500))]
    strangers = [quotas.take_unknown_slot(f"203.0.113.{number % 250}") for number in range(2000)]
    for slot in [*seats, *strangers]:
        quotas.leave(slot)
    assert quotas._slots == {}
    assert quotas.many_sockets() == {}
    assert quotas._without_user[UnknownSlot] == 0


def test_a_full_process_says_so(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = quotas_of(clock, max_sockets=10)
    monkeypatch.setattr(COUNTERS, "sockets", 10)
    assert not quotas.is_full()
    monkeypatch.setattr(COUNTERS, "sockets", 11)
    assert quotas.is_full()


def test_a_socket_is_in_so_many_groups(quotas: Quotas) -> None:
    quotas.check_groups({str(number) for number in range(100)})
    with pytest.raises(Refused, match="the most of one socket"):
        quotas.check_groups({str(number) for number in range(101)})
