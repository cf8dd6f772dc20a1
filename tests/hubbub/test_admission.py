"""How often a wrong token may be tried, and that no report of an error shows one."""

import asyncio
import sys
from typing import Any

import pytest
from django.db import OperationalError
from django.views.debug import ExceptionReporter

from hubbub.auth import admission, sessions, tokens
from hubbub.auth.token_attempts import TokenAttempts
from hubbub.protocol import Refused

SECRET = "s3cret" * 6
TOKEN = f"hub_7_{SECRET}"


@pytest.fixture
def tries() -> TokenAttempts:
    return TokenAttempts(burst=10, per_minute=1)


def fail(tries: TokenAttempts, address: str, token_id: int, times: int = 1) -> list[float]:
    return [tries.begin(address, token_id) for _ in range(times)]


def test_guessing_at_many_tokens_from_one_address_ends(tries: TokenAttempts) -> None:
    waits = [tries.begin("203.0.113.7", token_id) for token_id in range(100)]
    assert waits.count(0.0) == 10
    assert 0 < waits[-1] <= 60
    assert tries.begin("203.0.113.8", 7) == 0.0


def test_guessing_from_a_whole_ipv6_network_is_guessing_from_one_address(tries: TokenAttempts) -> None:
    assert [tries.begin(f"2001:db8:1:2::{number:x}", number) for number in range(1, 100)].count(0.0) == 10


def test_guessing_at_one_token_from_many_addresses_ends(tries: TokenAttempts) -> None:
    guesses = [tries.begin(f"203.0.113.{number}", 7) for _ in range(10) for number in range(20)]
    # Each address has one guess before it has done wrong; then they share what the token has.
    assert guesses.count(0.0) <= 20 + 10


def test_guesses_at_a_token_do_not_shut_out_its_owner(tries: TokenAttempts) -> None:
    for number in range(200):
        fail(tries, f"203.0.113.{number % 20}", 7)
    assert tries.begin("198.51.100.1", 7) == 0.0


def test_good_tokens_use_nothing_up(tries: TokenAttempts) -> None:
    for _ in range(1000):
        assert tries.begin("203.0.113.7", 7) == 0.0
        tries.end("203.0.113.7", 7, has_failed=False)


def test_many_at_once_are_not_all_the_first(tries: TokenAttempts) -> None:
    assert fail(tries, "203.0.113.7", 7, 500).count(0.0) == 10


async def test_good_tokens_at_once_are_all_accepted(tries: TokenAttempts) -> None:
    outcomes: list[float] = []

    async def one(token_id: int) -> None:
        outcomes.append(await tries.begin_in_turn("203.0.113.7", token_id))
        await asyncio.sleep(0.001)
        tries.end("203.0.113.7", token_id, has_failed=False)

    async with asyncio.timeout(10):
        await asyncio.gather(*(one(token_id % 3) for token_id in range(300)))
    assert outcomes == [0.0] * 300
    assert not tries._in_flight
    assert not tries._waiting


async def test_wrong_tokens_at_once_are_bounded(tries: TokenAttempts) -> None:
    heard = 0

    async def one(token_id: int) -> None:
        nonlocal heard
        if not await tries.begin_in_turn("203.0.113.7", token_id):
            heard += 1
            await asyncio.sleep(0.001)
            tries.end("203.0.113.7", token_id, has_failed=True)

    async with asyncio.timeout(10):
        await asyncio.gather(*(one(token_id) for token_id in range(300)))
    assert heard == 10


async def test_a_cancelled_waiter_delays_no_other(tries: TokenAttempts) -> None:
    for token_id in range(10):
        assert not await tries.begin_in_turn("203.0.113.7", token_id)
    waiting = [asyncio.create_task(tries.begin_in_turn("203.0.113.7", token_id)) for token_id in range(10, 13)]
    await asyncio.sleep(0)
    tries.end("203.0.113.7", 0, has_failed=False)
    waiting[0].cancel()  # In the moment that it was its turn.
    async with asyncio.timeout(5):
        assert await waiting[1] == 0.0
    waiting[2].cancel()
    await asyncio.wait(waiting)


def test_this_machine_may_be_a_proxy_that_settings_do_not_name(tries: TokenAttempts, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"TRUSTED_PROXIES": []}
    assert [tries.begin("127.0.0.1", token_id) for token_id in range(100)].count(0.0) == 100
    assert [tries.begin(None, token_id) for token_id in range(100, 200)].count(0.0) == 100
    settings.HUBBUB = settings.HUBBUB | {"TRUSTED_PROXIES": ["127.0.0.1"]}
    assert tries.begin("127.0.0.1", 200) > 0


async def test_a_database_error_counts_as_no_failed_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("locked")

    monkeypatch.setattr(admission, "identify_token", fail)
    few = TokenAttempts(burst=1, per_minute=1)
    monkeypatch.setattr(admission, "token_attempts", lambda: few)
    for _ in range(5):
        with pytest.raises(Refused) as caught:
            await admission.identify_by_token(TOKEN, None, "web-1:1", "203.0.113.7")
        assert caught.value.code == "unavailable"


@pytest.mark.django_db(transaction=True)
async def test_a_report_of_an_error_shows_no_secret(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Django's report has the local variables of every frame."""
    settings.DEBUG = False

    def fail(*_: object, **__: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(tokens, "_sha256", fail)
    monkeypatch.setattr(sessions, "rows_by", fail)
    ask = (
        lambda: admission.identify_by_token(TOKEN, None, "web-1:1", "203.0.113.7"),
        lambda: admission.identify_by_session(SECRET, None, "web-1:1"),
    )
    for answer in ask:
        try:
            await answer()
        except ZeroDivisionError:
            frames = ExceptionReporter(None, *sys.exc_info()).get_traceback_frames()
            # Ours: this test itself and the failing stand-in are not the product's.
            frames = [frame for frame in frames if frame["filename"] != __file__]
            assert {"_identify", "run"} <= {frame["function"] for frame in frames}
            assert SECRET not in str([frame["vars"] for frame in frames])
        else:
            raise AssertionError("nothing failed")
