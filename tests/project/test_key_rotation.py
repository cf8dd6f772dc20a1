"""A new SECRET_KEY: users stay signed in under the same session key, and their sockets stay open."""

from typing import Any

import pytest
from django.conf import settings as in_force
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from hubbub.auth.identity import identify_session, renew

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

PASSWORD = "correct horse 7"


def rotate(settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = f"{in_force.SECRET_KEY}, rotated"


def test_a_page_request_under_a_new_key_keeps_the_session_of_the_open_sockets(
    client: Client, alice: Any, settings: Any
) -> None:
    client.force_login(alice)
    key = client.session.session_key
    assert key is not None
    socket = identify_session(key, None)
    assert socket is not None
    rotate(settings)
    assert client.get(reverse("chat:lobby")).status_code == 200
    assert client.cookies["sessionid"].value == key
    assert [session.pk for session in Session.objects.all()] == [key]
    now = renew([socket], None)[socket]
    assert now is not None
    assert now.user_id == socket.user_id


def test_a_session_is_signed_anew_so_that_the_former_key_can_be_dropped(
    client: Client, alice: Any, settings: Any
) -> None:
    client.force_login(alice)
    rotate(settings)
    client.get(reverse("chat:lobby"))
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(reverse("chat:lobby")).status_code == 200
    assert client.session[HASH_SESSION_KEY] == alice.get_session_auth_hash()


def test_two_requests_at_once_under_a_new_key_are_both_signed_in(client: Client, alice: Any, settings: Any) -> None:
    """Each has read the session before the other saved it, like a page and its files."""
    client.force_login(alice)
    other = Client()
    other.cookies["sessionid"] = client.session.session_key or ""
    rotate(settings)
    assert client.get(reverse("chat:lobby")).status_code == 200
    assert other.get(reverse("chat:lobby")).status_code == 200


def test_a_session_under_a_key_that_is_no_fallback_is_signed_out(client: Client, alice: Any, settings: Any) -> None:
    client.force_login(alice)
    settings.SECRET_KEY = "another key, made for this test only"
    settings.SECRET_KEY_FALLBACKS = ["one that was never used"]
    assert client.get(reverse("chat:lobby")).status_code == 302


def test_a_sign_in_while_keys_change_still_gets_another_session_key(client: Client, alice: Any, settings: Any) -> None:
    """Otherwise a session key planted in the browser would be signed in."""
    alice.set_password(PASSWORD)
    alice.save()
    rotate(settings)
    session = client.session
    session["visits"] = 1
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before or ""
    client.post(reverse("sign-in"), {"username": "alice", "password": PASSWORD})
    assert client.session.session_key != before
    assert client.get(reverse("chat:lobby")).status_code == 200
