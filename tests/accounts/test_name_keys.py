"""Keys of names: users of an earlier release, look-alikes among them, and every way to save a name."""

from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from project.accounts import name_keys
from project.accounts.models import NAME_TAKEN, User, key_of
from tests.support.names import form_of, of_before, sign_in, sign_up
from tests.support.signing_in import PASSWORD

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


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
    [warning] = [message for message in run_checks(databases=["default"]) if message.id == "accounts.W001"]
    assert "BOB looks like bob, \u0432\u043e\u0432 looks like bob, b0b looks like bob" in warning.msg
    client.force_login(root)
    listed: Any = client.get(reverse("admin:accounts_user_changelist"), {"name_key": "missing"})
    assert {str(user) for user in listed.context["cl"].result_list} == {"BOB", "\u0432\u043e\u0432", "b0b"}
    # One of them is renamed by an admin, and the next save or the command finds the key.
    bob = User.objects.get(username="BOB")
    bob.username = "robert"
    bob.save()
    assert User.objects.get(pk=bob.pk).name_key == key_of("robert")


def test_an_old_user_with_a_bad_name_signs_in_and_is_edited(client: Client, root: User) -> None:
    user = of_before("\u0430dmin\u1160")
    user.set_password(PASSWORD)
    user.save()
    other = of_before("everyone")
    assert sign_in(user.username) == user.username
    client.force_login(root)
    for edited in (user, other):
        page = reverse("admin:accounts_user_change", args=[edited.pk])
        assert client.post(page, form_of(edited, first_name="Ada")).status_code == 302
        assert User.objects.get(pk=edited.pk).first_name == "Ada"


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
    assert [message.id for message in run_checks(databases=["default"]) if message.id == "accounts.W001"] == [
        "accounts.W001"
    ]
    user.save()
    assert User.objects.get().name_key == key_of("bea")
    assert not [message for message in run_checks(databases=["default"]) if message.id == "accounts.W001"]


def test_sign_up_refuses_a_look_alike_of_a_user_of_the_release_before() -> None:
    user = of_before("alice")
    for name in ("a1ice", "Alice", "AIice"):
        assert sign_up(name) == [NAME_TAKEN]
    assert sign_up("carol") == []
    user.save()
    assert User.objects.get(username="alice").name_key == key_of("alice")


def test_a_user_renamed_by_the_release_before_is_reported(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username="carol")
    [warning] = [message for message in run_checks(databases=["default"]) if message.id == "accounts.W001"]
    assert "carol has the key of another name" in warning.msg
    call_command("name_keys", stdout=StringIO())
    assert not [message for message in run_checks(databases=["default"]) if message.id == "accounts.W001"]


def test_a_name_that_was_changed_past_the_model_gets_its_key_by_the_command(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username="carol")
    assert name_keys.fill_name_keys(User) == 0
    assert User.objects.get().name_key == key_of("carol")
    assert sign_up("alice") == []


def test_two_users_with_swapped_names_have_their_keys_after_one_run(alice: User) -> None:
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


def test_a_wrong_key_is_removed_during_a_sign_up_with_the_right_one(
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


def test_the_longest_name_has_a_fitting_key() -> None:
    user = get_user_model().objects.create_user("쮔" * 150)
    assert len(user.name_key) == 600
