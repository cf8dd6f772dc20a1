"""Names of users: refused names in every form, look-alikes, sign-in by name."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from hubbub import users
from project.accounts import name_keys
from project.accounts.forms import SignUpForm
from project.accounts.models import NAME_TAKEN, User
from tests.support.names import form_of, of_before, sign_in, sign_up
from tests.support.signing_in import PASSWORD

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

STAFF_ONLY = "This name is for staff only."


# Signing up


@pytest.mark.parametrize("name", ["हिन्दी", "สวัสดี", "Ali", "علی\u200cرضا", "Мария", "李雷"])
def test_sign_up_with_letters_and_marks_of_any_script(name: str) -> None:
    assert sign_up(name) == []
    assert User.objects.get().username == name


@pytest.mark.parametrize(
    "name",
    [
        "\u0430dmin",
        "\u0430lice",
        "alice\u1160",
        "alice\u3164",
        "\u3164",
        "@everyone",
        "al\u0131ce",
        "AIice",
        "ALICE",
        "a1ice",
    ],
)
def test_sign_up_by_a_look_alike(client: Client, alice: User, root: User, name: str) -> None:
    assert sign_up(name)
    # Nor by the admin, the commands or a script.
    client.force_login(root)
    given = {"username": name, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer: Any = client.post(reverse("admin:accounts_user_add"), given)
    assert answer.context["adminform"].form.errors["username"]
    for make in (User.objects.create_user, users.create_user, async_to_sync(User.objects.acreate_user)):
        with pytest.raises(ValidationError):
            make(name)
    with pytest.raises(CommandError):
        call_command("createsuperuser", username=name, email="", interactive=False, stdout=StringIO())
    bob = User.objects.create_user("bob")
    changed: Any = client.post(reverse("admin:accounts_user_change", args=[bob.pk]), form_of(bob, username=name))
    assert changed.context["adminform"].form.errors["username"]
    assert User.objects.count() == 3


@pytest.mark.parametrize("name", ["everyone", "Here", "adm1n", "moderator", "system"])
def test_a_name_of_the_site_is_for_staff(client: Client, root: User, name: str) -> None:
    assert sign_up(name) == [STAFF_ONLY]
    with pytest.raises(ValidationError, match=STAFF_ONLY):
        User.objects.create_user(name)
    bob = User.objects.create_user("bob")
    client.force_login(root)
    page = reverse("admin:accounts_user_change", args=[bob.pk])
    refused: Any = client.post(page, form_of(bob, username=name))
    assert refused.context["adminform"].form.errors["username"] == [STAFF_ONLY]
    assert client.post(page, form_of(bob, username=name, is_staff="on")).status_code == 302


def test_the_first_admin_may_be_called_admin() -> None:
    assert users.create_superuser("admin", PASSWORD).username == "admin"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alike", ["Twin", "tw1n", "ｔｗｉｎ", "tw\u0131n"])
def test_one_of_two_look_alikes_signs_up_at_the_same_instant(alike: str) -> None:
    both_are_valid = threading.Barrier(2)

    def make(name: str) -> bool:
        try:
            form = SignUpForm({"username": name, "password1": PASSWORD, "password2": PASSWORD})
            assert form.is_valid(), form.errors
            both_are_valid.wait(10)
            user = form.create()
            assert user is not None or form.errors["username"] == [NAME_TAKEN]
            return user is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, ["twin", alike])) == [False, True]
    assert User.objects.count() == 1


# Signing in


def test_sign_in_by_the_name_in_any_case(alice: User) -> None:
    bea = User.objects.create_user("bea", password=PASSWORD)
    assert {sign_in(name) for name in ("bea", "Bea", "BEA", "ｂｅａ", " Bea ")} == {str(bea)}


def test_a_look_alike_name_does_not_sign_in() -> None:
    User.objects.create_user("alice", password=PASSWORD)
    for name in ("AIice", "a1ice", "al\u0131ce", "\u0430lice"):
        assert sign_in(name) == "", name


def test_twins_of_before_sign_in_by_their_exact_names() -> None:
    for name in ("bea", "Bea"):
        user = of_before(name)
        user.set_password(name + PASSWORD)
        user.save(update_fields=["password"])
    name_keys.fill_name_keys(User)
    for name in ("bea", "Bea"):
        assert sign_in(name, name + PASSWORD) == name
    # In another case it is the one who has the key.
    assert sign_in("BEA", "bea" + PASSWORD) == "bea"
    assert sign_in("BEA", "Bea" + PASSWORD) == ""


def test_commands_find_a_user_by_the_name_in_any_case(alice: User) -> None:
    assert users.find_by_name("ALICE") == alice
    assert async_to_sync(User.objects.aget_by_natural_key)("Alice") == alice
    for name in ("a1ice", "", "alice\u0130" * 100):
        with pytest.raises(User.DoesNotExist):
            users.find_by_name(name)
