"""The account page and the admin keep concurrent changes of an account."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from hubbub.auth import tokens
from project.accounts import passwords
from tests.support.personas import make_user
from tests.support.signing_in import NEW, PASSWORD, THERE, is_signed_in, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

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
    assert "was just changed elsewhere" in thief.post(ACCOUNT, form).text
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


# Saves by the admin


ADMINS = "/admin/password_change/"


def changed_meanwhile(owner: Any) -> tuple[str, str]:
    owner.refresh_from_db()
    return owner.email, owner.first_name


def test_ones_own_password_in_the_admin_saves_nothing_else(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    users = get_user_model().objects.filter(pk=owner.pk)
    users.update(is_staff=True)
    here, there = signed_in("alice"), signed_in("alice", THERE)
    in_the_meantime(monkeypatch, lambda: users.update(email="new@example.org", first_name="Alice"))
    answer = here.post(ADMINS, FORMS["password"], follow=True)
    assert answer.redirect_chain == [("/admin/password_change/done/", 302)]
    assert changed_meanwhile(owner) == ("new@example.org", "Alice")
    assert owner.check_password(NEW)
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_ones_own_password_in_the_admin_that_was_changed_meanwhile(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    users = get_user_model().objects.filter(pk=owner.pk)
    users.update(is_staff=True)
    thief, theirs = signed_in("alice", THERE), make_password("owners staple 9")
    in_the_meantime(monkeypatch, lambda: users.update(password=theirs))
    assert "was just changed elsewhere" in thief.post(ADMINS, FORMS["password"]).text
    owner.refresh_from_db()
    assert owner.password == theirs


def during_the_hash(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    make = passwords.make_password

    def slow(password: str | None) -> str:
        do()
        return make(password)

    monkeypatch.setattr(passwords, "make_password", slow)
    monkeypatch.setattr(get_user_model(), "set_password", lambda user, given: setattr(user, "password", slow(given)))


OTHERS = {
    "set": {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"},
    "taken away": {"usable_password": "false", "unset-password": "1"},
}


@pytest.mark.parametrize("form", OTHERS)
def test_another_users_password_in_the_admin_saves_nothing_else(
    admin: Any, owner: Any, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    here, users = signed_in("alice"), get_user_model().objects.filter(pk=owner.pk)
    during_the_hash(monkeypatch, lambda: users.update(email="new@example.org", first_name="Alice"))
    page = f"/admin/accounts/user/{owner.pk}/password/"
    assert admin.post(page, OTHERS[form]).headers["Location"] == f"/admin/accounts/user/{owner.pk}/change/"
    assert changed_meanwhile(owner) == ("new@example.org", "Alice")
    assert (owner.check_password(NEW), owner.has_usable_password()) == (form == "set", form == "set")
    assert not is_signed_in(here)


def test_an_administrator_stays_signed_in_after_setting_the_own_password(admin: Any, root: Any) -> None:
    page = f"/admin/accounts/user/{root.pk}/password/"
    assert admin.post(page, OTHERS["set"], follow=True).status_code == 200
    assert is_signed_in(admin)


def test_the_password_of_somebody_who_got_more_rights_meanwhile(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise Stan would sign in as a superuser."""
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    by_stan, users = Client(), get_user_model().objects.filter(pk=owner.pk)
    by_stan.force_login(stan)
    during_the_hash(monkeypatch, lambda: users.update(is_superuser=True))
    answer = by_stan.post(f"/admin/accounts/user/{owner.pk}/password/", OTHERS["set"])
    assert answer.status_code == 403
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)
