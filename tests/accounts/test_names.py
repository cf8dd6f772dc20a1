"""Names of users: which are refused, everywhere alike; that of two look-alikes one is made; who signs in by which."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from hubbub import users
from project.accounts import name_keys
from project.accounts.forms import SignUpForm
from project.accounts.models import NAME_TAKEN, User, key_of

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

PASSWORD = "correct horse 7"
STAFF_ONLY = "This name is for staff only."


def sign_up(name: str) -> list[str]:
    """The errors beside the name; none: there is an account now."""
    given = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    response: Any = Client().post(reverse("sign-up"), given)
    if response.status_code == 302:
        return []
    found: list[str] = response.context["form"].errors["username"]
    return found


def sign_in(name: str, password: str = PASSWORD) -> str:
    """Who is signed in by that; empty: nobody."""
    client = Client()
    client.post(reverse("sign-in"), {"username": name, "password": password})
    pk = client.session.get("_auth_user_id")
    return str(User.objects.get(pk=pk)) if pk else ""


def of_before(name: str, **more: Any) -> User:
    """A user whom the release before has made: without a key, by no rule."""
    [user] = super(type(User.objects), User.objects).bulk_create([User(username=name, **more)])
    assert user.name_key is None
    return User.objects.get(username=name)


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


def form_of(user: User, **changes: str) -> dict[str, str]:
    kept = {"username": user.username, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    if user.is_staff:
        kept |= {"is_staff": "on", "is_superuser": "on"}
    return kept | changes


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
def test_of_two_look_alikes_who_sign_up_at_the_same_instant_one_is_made(alike: str) -> None:
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


def test_nobody_signs_in_by_a_look_alike() -> None:
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


# Users of before


def test_the_oldest_of_look_alikes_gets_the_key_and_a_check_lists_the_others(
    client: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_keys, "BATCH", 2)
    names = ["bob", "BOB", "\u0432\u043e\u0432", "dora", "b0b", "ed"]
    for name in names:
        of_before(name)
    out = StringIO()
    call_command("name_keys", stdout=out)
    assert out.getvalue().splitlines() == [
        "BOB looks like bob",
        "\u0432\u043e\u0432 looks like bob",
        "b0b looks like bob",
        "3 names have no key.",
    ]
    assert {*User.objects.exclude(name_key=None).values_list("username", flat=True)} == {"root", "bob", "dora", "ed"}
    assert [*User.objects.exclude(username="root").order_by("pk").values_list("username", flat=True)] == names
    [warning] = [one for one in run_checks(databases=["default"]) if one.id == "accounts.W001"]
    assert "BOB looks like bob, \u0432\u043e\u0432 looks like bob, b0b looks like bob" in warning.msg
    client.force_login(root)
    listed: Any = client.get(reverse("admin:accounts_user_changelist"), {"name_key": "missing"})
    assert {str(one) for one in listed.context["cl"].result_list} == {"BOB", "\u0432\u043e\u0432", "b0b"}
    # One of them is renamed by an admin, and the next save or the command finds the key.
    bob = User.objects.get(username="BOB")
    bob.username = "robert"
    bob.save()
    assert User.objects.get(pk=bob.pk).name_key == key_of("robert")


def test_a_user_of_before_whose_name_breaks_the_rule_signs_in_and_is_edited(client: Client, root: User) -> None:
    user = of_before("\u0430dmin\u1160")
    user.set_password(PASSWORD)
    user.save()
    other = of_before("everyone")
    assert sign_in(user.username) == user.username
    client.force_login(root)
    for one in (user, other):
        page = reverse("admin:accounts_user_change", args=[one.pk])
        assert client.post(page, form_of(one, first_name="Ada")).status_code == 302
        assert User.objects.get(pk=one.pk).first_name == "Ada"


def test_a_look_alike_of_before_is_saved_without_a_key(alice: User) -> None:
    twin = of_before("Alice")
    twin.set_password(PASSWORD)
    twin.save()
    assert User.objects.get(pk=twin.pk).name_key is None
    assert sign_in("Alice") == "Alice"
    twin.username = "AIice"
    with pytest.raises(IntegrityError), transaction.atomic():  # A new name needs its key.
        twin.save()


def test_a_user_made_by_the_release_before_gets_the_key_with_the_next_save() -> None:
    user = of_before("bea")
    assert [one.id for one in run_checks(databases=["default"]) if one.id == "accounts.W001"] == ["accounts.W001"]
    user.save()
    assert User.objects.get().name_key == key_of("bea")
    assert not [one for one in run_checks(databases=["default"]) if one.id == "accounts.W001"]


def test_nobody_signs_up_as_a_look_alike_of_a_user_whom_the_release_before_has_made() -> None:
    user = of_before("alice")
    for name in ("a1ice", "Alice", "AIice"):
        assert sign_up(name) == [NAME_TAKEN]
    assert sign_up("carol") == []
    user.save()
    assert User.objects.get(username="alice").name_key == key_of("alice")


def test_a_user_whom_the_release_before_has_renamed_is_told_of(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username="carol")
    [warning] = [one for one in run_checks(databases=["default"]) if one.id == "accounts.W001"]
    assert "carol has the key of another name" in warning.msg
    call_command("name_keys", stdout=StringIO())
    assert not [one for one in run_checks(databases=["default"]) if one.id == "accounts.W001"]


def test_a_name_that_was_changed_past_the_model_gets_its_key_by_the_command(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username="carol")
    assert name_keys.fill_name_keys(User) == 0
    assert User.objects.get().name_key == key_of("carol")
    assert sign_up("alice") == []


def test_two_users_who_were_renamed_to_each_others_names_have_their_keys_after_one_run(alice: User) -> None:
    bob = User.objects.create_user("bob")
    for user, name in ((alice, "between"), (bob, "alice"), (alice, "bob")):
        User.objects.filter(pk=user.pk).update(username=name)
    of_before("ALICE")
    assert name_keys.fill_name_keys(User) == 1
    assert dict(User.objects.values_list("username", "name_key")) == {
        "alice": key_of("alice"),
        "bob": key_of("bob"),
        "ALICE": None,
    }


def test_a_wrong_key_is_taken_away_though_somebody_signs_up_by_the_right_one_meanwhile(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=alice.pk).update(username="carol")
    change = name_keys._change

    def and_somebody_signs_up(model: Any, row: name_keys.Row, key: str | None) -> int:
        if key is None:
            User.objects.create_user("Carol")
        return change(model, row, key)

    monkeypatch.setattr(name_keys, "_change", and_somebody_signs_up)
    assert name_keys.fill_name_keys(User) == 1
    assert User.objects.get(pk=alice.pk).name_key is None
    assert sign_up("alice") == []


def test_keys_are_filled_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_keys, "BATCH", 2)
    for name in ("bob", "dora", "ed"):
        of_before(name)
    step = Mock(wraps=name_keys.step_with_pause)
    monkeypatch.setattr(name_keys, "step_with_pause", step)
    assert name_keys.fill_name_keys(User) == 0
    assert step.call_count == 3  # The last one finds nobody.


@pytest.mark.parametrize(
    "save",
    [
        lambda user: user.save(),
        lambda user: user.save(update_fields=["username"]),
        lambda user: User.objects.bulk_update([user], ["username"]),
        lambda user: User.objects.update_or_create(pk=user.pk, defaults={"username": user.username}),
    ],
    ids=["save", "update_fields", "bulk_update", "update_or_create"],
)
def test_every_way_to_save_a_name_saves_its_key(alice: User, save: Callable[[User], object]) -> None:
    alice.username = "Carol"
    save(alice)
    assert User.objects.get().name_key == key_of("carol")


def test_users_made_at_once_have_their_keys() -> None:
    User.objects.bulk_create([User(username=name) for name in ("bob", "Eve")])
    assert {*User.objects.values_list("name_key", flat=True)} == {key_of("bob"), key_of("eve")}
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(username="B0B")])


def test_last_login_is_saved_without_the_name(alice: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        alice.save(update_fields=["last_login"])


def test_the_longest_name_has_a_key_that_fits() -> None:
    user = get_user_model().objects.create_user("쮔" * 150)
    assert len(user.name_key) == 600
