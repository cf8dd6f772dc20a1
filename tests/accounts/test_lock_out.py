"""Password guesses by strangers are limited, and do not lock the account's owner out."""

from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse

from project.accounts import known_browsers, login_throttle, passwords
from tests.support.personas import make_user
from tests.support.signing_in import HERE, NEW, PASSWORD, THERE, sign_in, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static"), pytest.mark.slow]

COOKIE = known_browsers.COOKIE


def guess(count: int, address: str = HERE, **more: Any) -> list[int]:
    return [sign_in("alice", address=address, **more).status_code for _ in range(count)]


def guess_from_everywhere(count: int) -> list[int]:
    return [sign_in("alice", address=f"192.0.2.{number}").status_code for number in range(count)]


def test_ten_wrong_passwords_by_a_stranger(owner: Any) -> None:
    assert guess(11) == [200] * 10 + [429]
    assert sign_in("alice", PASSWORD, HERE).status_code == 429
    assert sign_in("alice", PASSWORD, THERE).status_code == 302


def test_guessing_from_a_hundred_addresses_stops_all_but_known_browsers(owner: Any) -> None:
    known = signed_in("alice", THERE)
    assert guess_from_everywhere(101) == [200] * 100 + [429]
    assert sign_in("alice", PASSWORD, "198.51.100.10").status_code == 429
    assert sign_in("alice", PASSWORD, THERE, known).status_code == 302


def test_a_stranger_in_the_same_office_does_not_keep_a_known_browser_out(owner: Any) -> None:
    known = signed_in("alice")
    assert guess(11)[-1] == 429
    assert [sign_in(f"user-{number}").status_code for number in range(41)][-1] == 429
    assert sign_in("bob", PASSWORD).status_code == 429
    assert sign_in("alice", PASSWORD, HERE, known).status_code == 302


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", ""])
def test_behind_a_proxy_that_settings_do_not_name(owner: Any, address: str) -> None:
    """All visitors seem to come from there."""
    known = signed_in("alice", address)
    assert guess(11, address) == [200] * 10 + [429]
    assert sign_in("alice", PASSWORD, address).status_code == 429
    assert sign_in("alice", PASSWORD, address, known).status_code == 302
    assert sign_in("bob", PASSWORD, address).status_code == 200


def test_a_stolen_cookie_of_a_known_browser_guesses_ten_times(owner: Any) -> None:
    stolen = signed_in("alice", THERE).cookies[COOKIE].value
    answers = []
    for number in range(12):
        thief = Client()
        thief.cookies[COOKIE] = stolen
        answers.append(sign_in("alice", address=f"192.0.2.{number}", client=thief).status_code)
    assert answers == [200] * 10 + [429] * 2
    assert sign_in("alice", PASSWORD, THERE).status_code == 302


@pytest.mark.parametrize(
    "cookie",
    {
        "made up": "WyJhIiwiMSJd:1abcde:xyz",
        "signed for something else": signing.dumps(["0" * 32, "1", "2", "3"], salt="elsewhere"),
        "signed, and no list": signing.dumps(7, salt=known_browsers.SALT),
        "signed, and empty": signing.dumps([], salt=known_browsers.SALT),
        "too long": "x" * 5000,
    }.items(),
    ids=lambda case: case[0],
)
def test_a_foreign_cookie_changes_nothing(owner: Any, cookie: tuple[str, str]) -> None:
    guess(10)
    client = Client()
    client.cookies[COOKIE] = cookie[1]
    assert sign_in("alice", PASSWORD, HERE, client).status_code == 429
    assert sign_in("alice", PASSWORD, THERE, client).status_code == 302
    assert sign_in("alice", PASSWORD, HERE, client).status_code == 302


def test_the_known_browser_of_another_account_is_a_stranger(owner: Any, bob: Any) -> None:
    bob.set_password(PASSWORD)
    bob.save()
    bobs = signed_in("bob")
    guess(10)
    assert sign_in("alice", PASSWORD, HERE, bobs).status_code == 429


def test_a_browser_knows_several_accounts_and_not_without_end(owner: Any) -> None:
    names = [f"user-{number}" for number in range(known_browsers.MAX_ACCOUNTS)]
    for name in names:
        make_user(name, password=PASSWORD)
    client = signed_in("alice")
    for name in names[:-1]:
        sign_in(name, PASSWORD, HERE, client)
    guess(10)
    assert sign_in("alice", PASSWORD, HERE, client).status_code == 302
    for name in names:
        sign_in(name, PASSWORD, HERE, client)
    assert sign_in("alice", PASSWORD, HERE, client).status_code == 429
    assert len(client.cookies[COOKIE].value) < 500


def test_a_sign_up_makes_the_browser_known(client: Any) -> None:
    given = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(reverse("sign-up"), given).status_code == 302
    for _ in range(10):
        sign_in("dora")
    assert sign_in("dora", PASSWORD, HERE, client).status_code == 302


def test_a_second_sign_up_makes_the_browser_known_for_both_accounts(owner: Any) -> None:
    known = signed_in("alice")
    given = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}
    # The test client sends every cookie everywhere; a browser sends it where its path says.
    assert reverse("sign-up").startswith(known.cookies[COOKIE]["path"])
    assert known.post(reverse("sign-up"), given).status_code == 302
    guess(10)
    assert sign_in("alice", PASSWORD, HERE, known).status_code == 302


def test_a_password_set_by_a_link_makes_the_browser_known(owner: Any, client: Client) -> None:
    page = client.get(passwords.reset_link(owner, ""))
    given = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(page.headers["Location"], given).headers["Location"] == reverse("sign-in")
    guess(10)
    assert sign_in("alice", NEW, HERE).status_code == 429
    assert sign_in("alice", NEW, HERE, client).status_code == 302


def test_the_cookie_is_for_the_account_pages_and_not_for_scripts(owner: Any, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    cookie = signed_in("alice").cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["secure"]) == (reverse("account"), True, True)
    assert cookie["samesite"] == "Lax"
    assert "alice" not in cookie.value


def test_a_new_password_makes_no_browser_unknown(owner: Any) -> None:
    known = signed_in("alice")
    owner.set_password("battery staple 8")
    owner.save()
    guess(10)
    assert sign_in("alice", "battery staple 8", HERE, known).status_code == 302


def test_hammering_at_one_account_does_not_use_up_the_tries_of_the_office(owner: Any) -> None:
    assert guess(80) == [200] * 10 + [429] * 70
    assert sign_in("bob").status_code == 200


def test_blanks_before_the_name_give_no_more_tries(owner: Any) -> None:
    guess(9)
    assert [sign_in(" " * count + "alice").status_code for count in (200, 149, 150, 1)] == [200, 429, 429, 429]


@pytest.mark.usefixtures("plain_static")
def test_without_redis_a_known_browser_stays_free_as_well(owner: Any, settings: Any, tmp_path: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": f"unix://{tmp_path}/nothing.sock"}
    settings.ACCOUNTS = {"LOGIN_ATTEMPTS_PER_ACCOUNT": 20}
    known = signed_in("alice", THERE)
    assert guess_from_everywhere(21) == [200] * 20 + [429]
    assert sign_in("alice", PASSWORD, "198.51.100.10").status_code == 429
    assert sign_in("alice", PASSWORD, THERE, known).status_code == 302


def test_a_refused_try_is_counted_nowhere(owner: Any, settings: Any) -> None:
    settings.ACCOUNTS = {"LOGIN_ATTEMPTS_PER_ACCOUNT": 2}
    for number in range(10):
        login_throttle.try_sign_in("alice", f"192.0.2.{number}")
    assert [login_throttle.try_sign_in(f"user-{number}", "192.0.2.5") for number in range(50)] == [0.0] * 50
