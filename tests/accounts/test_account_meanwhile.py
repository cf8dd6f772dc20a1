"""What the account page does when the account or its password has changed by the time that it writes."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.urls import reverse

from hubbub.auth import tokens
from tests.support.signing_in import NEW, PASSWORD, THERE, is_signed_in, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static", "quick_hashes")]

ACCOUNT = reverse("account")


def in_the_meantime(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    """Have something done while a form waits for its hash."""
    check_password = get_user_model().check_password

    def slow(user: Any, password: str) -> bool:
        is_right = check_password(user, password)
        do()
        return is_right

    monkeypatch.setattr(get_user_model(), "check_password", slow)


def test_an_email_address_is_not_set_by_a_password_that_was_changed_meanwhile(
    owner: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_HOST_IS_SET = True
    thief, users = signed_in("alice", THERE), get_user_model().objects.filter(pk=owner.pk)
    in_the_meantime(monkeypatch, lambda: users.update(password=make_password(NEW), session_salt="new"))
    form = {"form": "email", "email": "thief@evil.example", "present_password": PASSWORD}
    assert "was changed a moment ago" in thief.post(ACCOUNT, form).text
    owner.refresh_from_db()
    assert owner.email == ""


FORMS = {
    "email": {"form": "email", "email": "alice@example.org", "present_password": PASSWORD},
    "password": {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW},
}


@pytest.mark.parametrize("form", FORMS)
def test_an_account_that_is_deleted_meanwhile_is_signed_out(
    owner: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    settings.EMAIL_HOST_IS_SET = True
    here = signed_in("alice")
    in_the_meantime(monkeypatch, owner.delete)
    assert here.post(ACCOUNT, FORMS[form]).headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("keep", ["", "this"])
def test_sign_out_everywhere_of_an_account_that_is_deleted_meanwhile(
    owner: Any, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    here = signed_in("alice")
    monkeypatch.setattr(tokens, "revoke_tokens_of", lambda user: owner.delete())
    answer = here.post(reverse("sign-out-everywhere"), {"end_tokens": "on", "keep": keep})
    assert answer.headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)
