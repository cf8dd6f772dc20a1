"""Account page: password, access tokens, email address."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from project.accounts import passwords
from project.accounts.hashing import Busy
from tests.support.account_page import ACCOUNT, change, main_of, make_token, session_of, usable
from tests.support.signing_in import NEW, PASSWORD, THERE, is_signed_in, sign_in, signed_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static"), pytest.mark.slow]

ADMINS = "/admin/password_change/"


def test_the_page_needs_a_sign_in_and_is_linked_beside_the_name(client: Client, owner: Any) -> None:
    assert client.get(ACCOUNT).headers["Location"] == f"{reverse('sign-in')}?next={ACCOUNT}"
    client.force_login(owner)
    assert f'href="{ACCOUNT}"' in client.get(reverse("lobby")).text
    # Whose page it is, and where a new name is shown.
    page = client.get(ACCOUNT)
    assert f'data-own-id="{owner.pk}"' in page.text
    assert main_of(page).count("data-own-name") == 2


# The password


def test_a_new_password_ends_all_other_sessions_and_not_this_one(owner: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    token = make_token(owner)
    before = session_of(here)
    assert change(here).headers["Location"] == ACCOUNT
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert session_of(here) != before
    assert usable(owner) == 1
    assert token.name in here.get(ACCOUNT).text
    assert sign_in("alice", NEW).status_code == 302


def test_a_new_password_ends_the_tokens_when_that_is_asked_for(owner: Any, bob: Any) -> None:
    here = signed_in("alice")
    make_token(owner)
    make_token(bob)
    assert change(here, end_tokens="on").status_code == 302
    assert (usable(owner), usable(bob)) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "field", "error", "words"),
    [
        ({"old_password": "wrong"}, "old_password", "old_password", "not your current password"),
        # Both come back empty, so the cursor goes to the first.
        ({"new_password2": "other"}, "new_password1", "new_password2", "differ"),
        ({"new_password1": "password1", "new_password2": "password1"}, "new_password1", "new_password1", "too common"),
        ({"new_password1": ""}, "new_password1", "new_password1", "required"),
    ],
)
def test_an_error_is_beside_its_field_with_the_cursor(
    owner: Any, fields: dict[str, str], field: str, error: str, words: str
) -> None:
    here = signed_in("alice")
    page = here.post(ACCOUNT, {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW, **fields})
    assert page.status_code == 200
    [wrong] = [part for part in page.text.split("<input") if f'id="id_{field}"' in part]
    assert "autofocus" in wrong.split(">")[0]
    assert f'id_{error}_error"' in wrong.split(">")[0]
    assert 'aria-invalid="true"' in wrong.split(">")[0]
    assert words in page.text.split(f'<div id="id_{error}_error">')[1].split("</div>")[0]
    assert main_of(page).count("autofocus") == 1
    assert sign_in("alice", PASSWORD).status_code == 302


def test_ending_tokens_is_offered_where_there_are_tokens(owner: Any) -> None:
    here = signed_in("alice")
    assert "Revoke my access tokens" not in here.get(ACCOUNT).text
    assert change(here).status_code == 302
    make_token(owner)
    assert main_of(here.get(ACCOUNT)).count("Revoke my access tokens") == 2


def test_opening_the_page_puts_the_cursor_nowhere(owner: Any) -> None:
    assert "autofocus" not in main_of(signed_in("alice").get(ACCOUNT))


@pytest.mark.parametrize("page", [ACCOUNT, ADMINS])
def test_guessing_the_present_password_by_a_stolen_session(owner: Any, page: str, caplog: Any) -> None:
    owner.is_staff = True
    owner.save()
    thief, here = signed_in("alice", THERE), signed_in("alice")
    answers = [change(thief, f"guess {number}", page).status_code for number in range(11)]
    assert answers == [200] * 10 + [429]
    assert change(thief, PASSWORD, page).status_code == 429
    assert change(thief, PASSWORD, ACCOUNT if page == ADMINS else ADMINS).status_code == 429
    assert f"password_failed address={THERE} user={owner.pk}" in caplog.text
    assert f"password_limited address={THERE} user={owner.pk}" in caplog.text
    # The owner's own session is not the thief's to use up.
    assert change(here, PASSWORD, page).status_code == 302
    assert not is_signed_in(thief)


def test_a_bad_new_password_is_no_guess(owner: Any) -> None:
    here = signed_in("alice")
    for _ in range(12):
        assert change(here, new_password2="other").status_code == 200
    assert change(here).status_code == 302


def test_too_many_hashes_at_once_is_no_guess_either(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = signed_in("alice")

    def busy(*_: Any) -> None:
        raise Busy

    here.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(get_user_model(), "check_password", busy)
        assert [change(here).status_code for _ in range(12)] == [503] * 12
    assert change(here).status_code == 302


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(owner: Any) -> None:
    assert not passwords.set_password(owner, NEW, end_tokens=True, allows=lambda now: now.password == "another")
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


# Tokens


def test_own_tokens_are_listed_and_revoked(owner: Any, bob: Any) -> None:
    here, token = signed_in("alice"), make_token(owner, "the robot")
    make_token(bob, "of bob")
    page = here.get(ACCOUNT).text
    assert "the robot" in page
    assert "of bob" not in page
    assert token.secret_sha256 not in page
    assert here.post(reverse("revoke-token", args=[token.pk])).headers["Location"] == ACCOUNT
    assert usable(owner) == 0
    assert ">the robot<" not in here.get(ACCOUNT).text


# Email


def test_without_a_mail_server_there_is_no_email_field(owner: Any) -> None:
    here = signed_in("alice")
    assert "id_email" not in here.get(ACCOUNT).text
    here.post(ACCOUNT, {"form": "email", "email": "thief@evil.example", "present_password": PASSWORD})
    owner.refresh_from_db()
    assert owner.email == ""


def test_setting_an_email_address_needs_the_password(owner: Any, settings: Any) -> None:
    settings.EMAIL_HOST_IS_SET = True
    settings.ACCOUNTS = {"PASSWORD_ATTEMPTS": 2}
    here = signed_in("alice")
    form = {"form": "email", "email": "alice@example.org"}
    for _ in range(2):
        assert (
            here.post(ACCOUNT, {**form, "email": "thief@evil.example", "present_password": "guess"}).status_code == 200
        )
    assert here.post(ACCOUNT, {**form, "present_password": PASSWORD}).status_code == 429
    owner.refresh_from_db()
    assert owner.email == ""
    here = signed_in("alice")
    assert "not your current password" not in here.get(ACCOUNT).text
    assert here.post(ACCOUNT, {**form, "email": "no address", "present_password": PASSWORD}).status_code == 200
    assert here.post(ACCOUNT, {**form, "present_password": PASSWORD}).status_code == 302
    owner.refresh_from_db()
    assert owner.email == "alice@example.org"
    assert here.post(ACCOUNT, {**form, "email": "", "present_password": PASSWORD}).status_code == 302
    owner.refresh_from_db()
    assert owner.email == ""
