"""The server leaves no data in the browser after a sign-out."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


def test_admin_messages_for_one_user_are_not_shown_to_the_next(client: Client, root: Any, alice: Any) -> None:
    """A message waits for the next page; the next page may be another user's."""
    client.force_login(root)
    fields = {"username": "alice", "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    saved = client.post(reverse("admin:accounts_user_change", args=[alice.pk]), fields)
    assert saved.status_code == 302
    client.post(reverse("sign-out"))
    # Not `force_login`: it would bring cookies of its own.
    stan = make_user("stan", is_staff=True)
    stan.set_password("correct horse 7")
    stan.save()
    client.post(reverse("sign-in"), {"username": "stan", "password": "correct horse 7"})
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert "was changed successfully" not in page.text


def test_signing_out_leaves_no_cookie_but_the_one_of_forms(client: Client, root: Any) -> None:
    client.force_login(root)
    client.get(reverse("admin:index"))
    client.post(reverse("sign-out"))
    assert {name for name, cookie in client.cookies.items() if cookie.value} <= {"csrftoken"}
