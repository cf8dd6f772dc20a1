"""Ids of users as text for any kind of key, and rows of models with quoted names."""

from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.db import models

from chat.models import Membership, Room
from hubbub import queries, users
from hubbub.presence import store
from hubbub.queries import rows_by
from tests.support.personas import make_user

pytestmark = pytest.mark.database

UUID_TEXT = "5f1d0c1e-2b0a-4f8e-9a57-0c6f5f0d8a11"
KEYS: dict[str, tuple[Any, Any, str]] = {
    "a number": (models.BigAutoField(primary_key=True), 7, "7"),
    "a number below zero": (models.BigIntegerField(primary_key=True), -7, "-7"),
    "a UUID": (models.UUIDField(primary_key=True), UUID(UUID_TEXT), UUID_TEXT),
    "a text": (models.CharField(primary_key=True, max_length=40), "Zoë/7 'x'", "Zoë/7 'x'"),
    "a text of digits": (models.CharField(primary_key=True, max_length=40), "007", "007"),
    "a day": (models.DateField(primary_key=True), date(2026, 11, 26), "2026-11-26"),
    "bytes": (models.BinaryField(primary_key=True), b"\x00\xff", "AP8="),
}
WRONG: dict[str, tuple[Any, Any]] = {
    "a text for a number": (models.BigAutoField(primary_key=True), "ada"),
    "too great a number": (models.BigAutoField(primary_key=True), "9" * 40),
    "no number": (models.BigAutoField(primary_key=True), "NaN"),
    "a fraction that is none": (models.DecimalField(primary_key=True, max_digits=5, decimal_places=0), "sNaN5x"),
    "a number for a UUID": (models.UUIDField(primary_key=True), "7"),
    "a list for a UUID": (models.UUIDField(primary_key=True), [1]),
    "too long a text": (models.CharField(primary_key=True, max_length=40), "a" * 41),
    "a day that is none": (models.DateField(primary_key=True), "2026-02-30"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_becomes_text_and_the_same_key_again(kind: str) -> None:
    field, key, text = KEYS[kind]
    field.set_attributes_from_name("badge")
    assert users.key_as_text(field, key) == text
    read = users.key_from_text(field, text)
    assert bytes(read) == key if isinstance(key, bytes) else read == key


@pytest.mark.parametrize("kind", WRONG)
def test_a_text_that_is_no_key_is_dropped(kind: str) -> None:
    field, text = WRONG[kind]
    field.set_attributes_from_name("badge")
    assert users.key_from_text(field, text) is None


def test_ids_of_users_are_as_in_sessions(db: None) -> None:
    alice = make_user("alice")
    assert users.id_of(alice) == users.id_of_key(alice.pk) == str(alice.pk)
    assert users.key_of(users.id_of(alice)) == alice.pk
    assert users.key_of("nobody") is None
    assert users.key_of(None) is None


def test_a_user_is_found_by_the_name_that_signs_in(db: None) -> None:
    alice = make_user("alice")
    assert users.find_by_name("alice") == alice
    with pytest.raises(get_user_model().DoesNotExist):
        users.find_by_name("nobody")


def test_rows_are_found_by_names_of_fields_and_of_columns_and_by_keys(db: None) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    room = Room.objects.create(slug="rows", title="Rows")
    Membership.objects.create(room=room, user=alice)
    for name in ("user", "user_id"):
        assert [membership.user_id for membership in rows_by(Membership, **{name: [alice.pk, bob.pk]})] == [alice.pk]
    assert {user.username for user in rows_by(get_user_model(), pk=[alice.pk, bob.pk])} == {"alice", "bob"}
    assert rows_by(get_user_model(), pk=[]) == []


@pytest.mark.parametrize(
    ("name", "written"),
    [("group", '"group"'), ("Mixed Case", '"Mixed Case"'), ('"hr"."people"', '"hr"."people"'), ("100%", '"100%%"')],
)
def test_a_name_is_quoted(db: None, name: str, written: str) -> None:
    assert queries.quoted(name) == written


# From a process of the release before, while it is replaced


def test_users_of_a_process_with_numbers_as_ids_are_present() -> None:
    values = [msgspec.msgpack.encode({7: "alice", 8: "bob"}), msgspec.msgpack.encode({"7": "alice"}), b"\xff", None]
    users = store._read("other", ["a", "b", "c", "d"], values)
    assert users == {"a": {"7": "alice", "8": "bob"}, "b": {"7": "alice"}, "c": {}, "d": {}}
