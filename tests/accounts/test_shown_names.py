"""Display names and status lines: refused ones, look-alikes among them and among user names, two at one instant."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from hubbub import users
from project.accounts.forms import SignUpForm
from project.accounts.models import NAME_TAKEN, User, UserManager
from project.accounts.profile import ProfileForm
from tests.support.names import sign_up
from tests.support.signing_in import PASSWORD

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def save(user: User, **given: str) -> dict[str, list[str]]:
    """The errors of the form; empty when it was saved."""
    fresh = User.objects.get(pk=user.pk)
    form = ProfileForm({"shown_name": fresh.shown_name, "shown_status": fresh.shown_status, **given}, instance=fresh)
    if form.is_valid() and form.save_profile():
        return {}
    return {field: [str(error) for error in errors] for field, errors in form.errors.items()}


def test_a_display_name_is_shown_and_the_user_name_stays(alice: User) -> None:
    assert save(alice, shown_name="  Alice\u00a0  Liddell ") == {}
    alice.refresh_from_db()
    assert (users.name_of(alice), users.label_of(alice)) == ("Alice Liddell", "Alice Liddell (alice)")
    assert users.find_by_name("alice") == alice
    assert save(alice, shown_name="") == {}
    alice.refresh_from_db()
    assert (users.name_of(alice), alice.shown_name_key) == ("alice", None)


def test_a_manager_without_a_way_to_find_display_names_compares_the_column(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(UserManager, "get_by_shown_name")
    User.objects.filter(pk=alice.pk).update(shown_name="Alice Liddell")
    assert users.find_by_shown_name("alice liddell") == alice
    User.objects.filter(pk=bob.pk).update(shown_name="Alice Liddell")
    for name in ("Alice Liddell", "Alice", "", "a\ud800b"):
        with pytest.raises(User.DoesNotExist):
            users.find_by_shown_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "bob",
            "BOB",
            "B0b",
            "\u0412ob",
            "\uff42ob",
            "bob.",
            "\u201cBob\u201d",
            "bob \u2713",
            "Bob \u2764\ufe0f",
            " bob ",
        ),
        *("Bobby Tables", "bobby  tables", "B\u043ebby Tables", "Bobby\u3000Tables!"),
    ],
)
def test_a_name_that_reads_as_another_persons_is_refused(alice: User, bob: User, name: str) -> None:
    assert save(bob, shown_name="Bobby Tables") == {}
    errors = save(alice, shown_name=name)["shown_name"]
    assert errors
    if name not in ("B\u043ebby Tables", "\u0412ob"):  # Two scripts in a word.
        assert errors == [NAME_TAKEN]
    assert users.name_of(User.objects.get(pk=alice.pk)) == "alice"


def test_the_own_user_name_may_be_the_display_name(bob: User) -> None:
    assert save(bob, shown_name="BOB") == {}
    assert save(bob, shown_status="here") == {}


@pytest.mark.parametrize(
    "name",
    [
        *("Bo\u200bb Smith", "Bob\nSmith", "Bob \u202eSmith", "\u2800", "!!!", "q\u0301\u0301", "Bob\x00"),
        *("Admin", "Deleted User", "deleted", "(support)", "x" * 61),
    ],
)
def test_a_display_name_that_deceives_is_refused(alice: User, name: str) -> None:
    assert save(alice, shown_name=name)["shown_name"]
    assert User.objects.get(pk=alice.pk).shown_name == ""


def test_staff_may_have_a_reserved_name(root: User) -> None:
    assert save(root, shown_name="Support") == {}


def test_a_user_name_that_reads_as_a_display_name_is_refused(alice: User) -> None:
    assert save(alice, shown_name="Liddell.") == {}
    assert sign_up("liddell") == [NAME_TAKEN]
    assert sign_up("L1ddell") == [NAME_TAKEN]
    with pytest.raises(ValidationError):
        User.objects.create_user("LIDDELL")
    # Also where a program checks nothing.
    with pytest.raises(IntegrityError):
        User(username="liddell").save()
    bob = User.objects.create_user("bob")
    bob.username = "liddell"
    with pytest.raises(IntegrityError):
        bob.save(update_fields=["username"])


@pytest.mark.parametrize(
    "status",
    ["Back\nat noon", "a\u2028b", "evil \u202etxt", "a\u200bb", "x" * 81, "q\u0301\u0301", "\U0001f334\u0301"],
)
def test_a_status_line_that_deceives_is_refused(alice: User, status: str) -> None:
    assert save(alice, shown_status=status)["shown_status"]


@pytest.mark.parametrize(
    "status", ["\U0001f334", "Back on Monday \U0001f469\u200d\U0001f4bb", "\u05d7\u05d6\u05e8\u05ea\u05d9", ""]
)
def test_a_status_line_in_any_script_is_taken(alice: User, status: str) -> None:
    assert save(alice, shown_status=status) == {}
    assert User.objects.get(pk=alice.pk).shown_status == status


def test_a_refused_profile_loses_nothing(alice: User, bob: User) -> None:
    assert save(alice, shown_name="Ada", shown_status="here") == {}
    assert save(alice, shown_name="bob", shown_status="gone")
    alice.refresh_from_db()
    assert (alice.shown_name, alice.shown_status) == ("Ada", "here")


def at_once(*calls: Callable[[threading.Barrier], bool]) -> list[bool]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[threading.Barrier], bool]) -> bool:
        try:
            return call(barrier)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(run, calls))


def naming(user: User, name: str) -> Callable[[threading.Barrier], bool]:
    def call(barrier: threading.Barrier) -> bool:
        form = ProfileForm({"shown_name": name, "shown_status": ""}, instance=User.objects.get(pk=user.pk))
        assert form.is_valid(), form.errors
        barrier.wait(10)
        is_saved = form.save_profile()
        assert is_saved or form.errors["shown_name"] == [NAME_TAKEN]
        return is_saved

    return call


def signing_up(name: str) -> Callable[[threading.Barrier], bool]:
    def call(barrier: threading.Barrier) -> bool:
        form = SignUpForm({"username": name, "password1": PASSWORD, "password2": PASSWORD})
        assert form.is_valid(), form.errors
        barrier.wait(10)
        user = form.create()
        assert user is not None or form.errors["username"] == [NAME_TAKEN]
        return user is not None

    return call


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alike", ["Twin", "tw1n", "TWIN!", "\uff54\uff57\uff49\uff4e"])
def test_one_of_two_takes_a_name_at_the_same_instant(alice: User, bob: User, alike: str) -> None:
    assert at_once(naming(alice, "twin"), naming(bob, alike)) == [False, True]
    assert User.objects.exclude(shown_name="").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alike", ["Twin", "tw1n", "TWIN!"])
def test_a_sign_up_and_a_display_name_at_the_same_instant(alice: User, alike: str) -> None:
    assert at_once(signing_up("twin"), naming(alice, alike)) == [False, True]
    assert User.objects.exclude(shown_name="").count() + User.objects.filter(username="twin").count() == 1


def test_staff_changes_what_others_see(
    client: Client, root: User, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    save(alice, shown_name="Ada", shown_status="rude")
    client.force_login(root)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    given = {"username": "alice", "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    refused: Any = client.post(page, given | {"shown_name": "B0b", "shown_status": ""})
    assert refused.context["adminform"].form.errors["shown_name"] == [NAME_TAKEN]
    with caplog.at_level("INFO"):
        assert client.post(page, given | {"shown_name": "", "shown_status": ""}).status_code == 302
    alice.refresh_from_db()
    assert (alice.shown_name, alice.shown_status, alice.shown_name_key) == ("", "", None)
    assert f"profile_changed address=- user={alice.pk}" in caplog.text
    save(alice, shown_name="Ada Lovelace")
    found = client.get(reverse("admin:accounts_user_changelist"), {"q": "lovelace"})
    assert "alice" in found.text
    assert "Ada Lovelace" in found.text
