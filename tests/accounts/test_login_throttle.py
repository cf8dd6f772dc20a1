"""Guessing passwords and names: limited per account and per address, with and without Redis."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.test import Client
from django.urls import reverse

from hubbub import site
from hubbub.process import redis_client
from hubbub.process.metrics import COUNTERS
from project.accounts import login_throttle
from project.accounts.forms import SignInForm

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

PASSWORD = "correct horse 7"
HERE, THERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def tunables(settings: Any) -> None:
    settings.ACCOUNTS = {
        "LOGIN_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS": 3,
        "LOGIN_ATTEMPTS_PER_ADDRESS": 6,
        "LOGIN_ATTEMPTS_PER_ACCOUNT": 9,
        "SIGN_UP_ATTEMPTS_PER_ADDRESS": 2,
        "LOGIN_ATTEMPTS_SECONDS": 120,
    }


@pytest.fixture
def alice(alice: Any) -> Any:
    alice.set_password(PASSWORD)
    alice.save()
    return alice


def sign_in(name: str, password: str = "wrong", address: str = HERE) -> Any:
    return Client().post(reverse("sign-in"), {"username": name, "password": password}, REMOTE_ADDR=address)


def test_guessing_the_password_of_an_account_from_many_addresses(alice: Any, caplog: Any) -> None:
    assert [sign_in("alice", address=f"203.0.113.{n}").status_code for n in range(10)] == [200] * 9 + [429]
    limited = sign_in("alice", PASSWORD, address=THERE)
    assert limited.status_code == 429
    assert 0 < int(limited.headers["Retry-After"]) <= 120
    assert "Try again in 2 minutes" in limited.text
    assert "_auth_user_id" not in limited.client.session
    assert f"sign_in_failed address=203.0.113.2 user={alice.pk} connection=-" in caplog.text
    assert f"sign_in_limited address={THERE} user={alice.pk} connection=-" in caplog.text


def test_guessing_one_password_for_many_accounts_from_one_address(alice: Any) -> None:
    assert [sign_in(f"user-{n}").status_code for n in range(7)] == [200] * 6 + [429]
    assert sign_in("alice", PASSWORD).status_code == 429
    assert sign_in("alice", PASSWORD, address=THERE).status_code == 302


def test_an_ipv6_network_is_one_address(alice: Any) -> None:
    answers = [sign_in(f"user-{n}", address=f"2001:db8:0:1::{n:x}").status_code for n in range(1, 8)]
    assert answers == [200] * 6 + [429]
    assert sign_in("alice", PASSWORD, address="2001:db8:0:2::1").status_code == 302


@pytest.mark.parametrize("name", ["ALICE", " alice ", "ａｌｉｃｅ"])
def test_another_spelling_of_a_name_gives_no_more_tries(alice: Any, name: str) -> None:
    for _ in range(3):
        sign_in(name)
    assert sign_in("alice", PASSWORD).status_code == 429


def test_a_name_that_is_slow_to_normalize_delays_no_request(alice: Any) -> None:
    """Python sorts marks on one letter in time by the square of their number: of so many, for a quarter of an hour."""
    began = time.monotonic()
    assert sign_in("\u0300" * 400_000 + "\u0327" * 400_000).status_code == 200
    assert time.monotonic() - began < 5


def test_the_limit_does_not_tell_which_names_exist(alice: Any) -> None:
    for name, address in (("alice", HERE), ("nobody", THERE)):
        for _ in range(3):
            sign_in(name, address=address)
    pages = [sign_in(name, address=address) for name, address in (("alice", HERE), ("nobody", THERE))]
    assert {(page.status_code, page.text) for page in pages} == {(429, pages[0].text)}


@pytest.mark.parametrize("who", ["alice", "nobody", "without-a-password", "not-active"])
def test_the_cost_of_an_answer_does_not_reveal_names(
    alice: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, who: str
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)  # The real number would only take longer.
    users = get_user_model().objects
    users.filter(username="alice").update(password=make_password(PASSWORD))
    users.create_user("without-a-password")
    users.create_user("not-active", password=PASSWORD, is_active=False)
    iterations = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self: Any, password: str, salt: str, iterations_: int | None = None) -> str:
        iterations.append(iterations_ or self.iterations)
        return encode(self, password, salt, iterations_)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    answer = sign_in(who)
    assert iterations == [PBKDF2PasswordHasher.iterations]
    assert answer.context["form"].errors["__all__"] == [SignInForm.error_messages["invalid_login"]]


def test_past_the_limit_no_password_is_hashed(alice: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    for _ in range(3):
        sign_in("alice")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    hashed: list[str] = []
    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", lambda *given, **more: hashed.append("x") or "x")
    assert sign_in("alice").status_code == 429
    assert hashed == []
    sign_in("somebody else")
    assert hashed  # The probe works.


def test_many_tries_at_once_are_no_more_tries(alice: Any) -> None:
    waits = []
    threads = [
        threading.Thread(target=lambda: waits.append(login_throttle.try_sign_in("alice", HERE))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(wait) for wait in waits) == [False] * 3 + [True] * 3


def test_first_attempts_at_once_share_one_client(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    together, made, waits = threading.Barrier(2), [], []
    connect = redis_client.connect_sync

    def slowly(*args: Any, **options: Any) -> Any:
        made.append(connect(*args, **options))
        with suppress(threading.BrokenBarrierError):
            together.wait(0.5)  # For the second one, if there is one.
        return made[-1]

    monkeypatch.setattr(redis_client, "connect_sync", slowly)
    login_throttle._redis.cache_clear()
    threads = [
        threading.Thread(target=lambda: waits.append(login_throttle.try_sign_in("alice", HERE))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits == [0.0, 0.0]
    assert len(made) == 1


def test_the_right_password_uses_up_no_try(alice: Any) -> None:
    for _ in range(10):
        assert sign_in("alice", PASSWORD).status_code == 302
    assert [sign_in("alice").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_clients_of_a_local_proxy_do_not_share_its_limit(alice: Any) -> None:
    for number in range(10):
        assert sign_in(f"user-{number}", address="127.0.0.1").status_code == 200
    assert sign_in("alice", PASSWORD, address="127.0.0.1").status_code == 302


@pytest.mark.slow
def test_the_time_that_a_limit_lasts_is_set_and_ends(alice: Any, settings: Any) -> None:
    settings.ACCOUNTS = {"LOGIN_ATTEMPTS_PER_ACCOUNT": 1, "LOGIN_ATTEMPTS_SECONDS": 3}
    assert [sign_in("alice").status_code, sign_in("alice").status_code] == [200, 429]
    deadline = time.monotonic() + 20
    while sign_in("alice", PASSWORD).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_count_expires(alice: Any) -> None:
    sign_in("alice")
    sign_in("alice", PASSWORD)
    with redis.Redis.from_url(django_settings.HUBBUB["REDIS_URL"]) as client:
        keys = [*client.scan_iter(f"hubbub:{login_throttle.PREFIX}:*")]
        assert len(keys) == 3
        assert all(0 < client.ttl(key) <= 120 for key in keys)
        assert not any(b"alice" in key for key in keys)


def test_the_admins_own_sign_in_is_no_way_past_the_limit(alice: Any) -> None:
    for _ in range(4):
        given = {"username": "alice", "password": PASSWORD}
        answer = Client().post("/admin/login/?next=/admin/", given, REMOTE_ADDR=HERE)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{reverse('sign-in')}?next=/admin/"
        assert "_auth_user_id" not in answer.client.session


def test_names_cannot_be_probed_in_bulk_by_signing_up(alice: Any, caplog: Any) -> None:
    def sign_up(address: str = HERE) -> Any:
        given = {"username": "alice", "password1": PASSWORD, "password2": PASSWORD}
        return Client().post(reverse("sign-up"), given, REMOTE_ADDR=address)

    assert [sign_up().status_code for _ in range(3)] == [200, 200, 429]
    assert sign_up(THERE).status_code == 200
    assert f"sign_up_limited address={HERE}" in caplog.text
    assert get_user_model().objects.count() == 1


def test_text_in_the_wrong_field_is_not_logged(alice: Any, caplog: Any) -> None:
    sign_in("my secret password")
    sign_in("a\x00b")
    assert "secret" not in caplog.text
    assert "sign_in_failed address=203.0.113.7 user=- connection=-" in caplog.text


def test_the_tries_are_counted(alice: Any) -> None:
    before = dict(COUNTERS.security_events)
    for _ in range(5):
        sign_in("alice")
    assert COUNTERS.security_events["sign_in_failed"] - before.get("sign_in_failed", 0) == 3
    assert COUNTERS.security_events["sign_in_limited"] - before.get("sign_in_limited", 0) == 2


# Without Redis


def test_with_redis_away_users_sign_in_and_guesses_are_limited(alice: Any, settings: Any, tmp_path: Path) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": f"unix://{tmp_path}/nothing.sock"}
    assert sign_in("alice", PASSWORD).status_code == 302
    assert [sign_in("alice").status_code for _ in range(4)] == [200, 200, 200, 429]


@pytest.fixture
def hanging(settings: Any) -> Iterator[None]:
    """A Redis that takes connections and never answers."""
    with create_server(("127.0.0.1", 0)) as listener:
        settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": f"redis://127.0.0.1:{listener.getsockname()[1]}"}
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("hanging")
def test_a_redis_that_hangs_holds_up_one_sign_in_and_not_each(alice: Any, caplog: Any) -> None:
    began = time.monotonic()
    assert sign_in("alice", PASSWORD).status_code == 302
    assert time.monotonic() - began < 2.5
    began = time.monotonic()
    for _ in range(5):
        assert sign_in("alice", PASSWORD).status_code == 302
    assert time.monotonic() - began < 1
    assert caplog.text.count("attempts are counted per process") == 1


STRAYS: dict[str, Any] = {
    "text": lambda client, key: client.set(key, "many"),
    "a hash": lambda client, key: client.hset(key, "a", "b"),
    "the greatest number": lambda client, key: client.set(key, 2**63 - 1, ex=100),
    "a count that never ends": lambda client, key: client.set(key, 1000),
    "a count below nothing": lambda client, key: client.set(key, -1000, ex=100),
}


@pytest.mark.parametrize("put", STRAYS.values(), ids=STRAYS.keys())
def test_foreign_data_in_place_of_a_count_is_counted_anew(alice: Any, put: Any, caplog: Any, settings: Any) -> None:
    settings.ACCOUNTS = {"LOGIN_ATTEMPTS_PER_ACCOUNT": 3, "LOGIN_ATTEMPTS_SECONDS": 120}
    with redis.Redis.from_url(django_settings.HUBBUB["REDIS_URL"]) as client:
        key = site.key(f"{login_throttle.PREFIX}:sign-in:account:{login_throttle._digest('alice')}")
        client.delete(key)
        put(client, key)
    assert [sign_in("alice", address=f"198.51.100.{n}").status_code for n in range(4)] == [200, 200, 200, 429]
    assert "attempts are counted per process" not in caplog.text
