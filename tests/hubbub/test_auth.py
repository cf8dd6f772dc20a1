"""Authentication by session: the same rules as Django's own."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from hubbub.auth.identity import identify_session
from hubbub.auth.sessions import session_key_of
from tests.support.scopes import scope, session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


# Sessions


def test_a_session_lets_its_user_in(alice: Any, client: Client, django_assert_num_queries: Any) -> None:
    client.force_login(alice)
    with django_assert_num_queries(2):
        identity = identify_session(session_of(client), None)
    assert identity is not None
    assert (identity.user_id, identity.name, identity.permitted) == (str(alice.pk), "alice", True)


def test_a_session_without_a_user_is_refused(client: Client) -> None:
    client.session.save()
    for key in ("", "x", "x" * 32, "\x00", "\x00" * 32, "a" * 10_000, client.session.session_key):
        assert identify_session(key or "", None) is None


def test_an_expired_session_is_refused(alice: Any, client: Client) -> None:
    client.force_login(alice)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert identify_session(session_of(client), None) is None


def test_an_inactive_user_is_not_let_in(alice: Any, client: Client) -> None:
    client.force_login(alice)
    alice.is_active = False
    alice.save()
    assert identify_session(session_of(client), None) is None


def test_a_deleted_user_is_not_let_in(alice: Any, client: Client) -> None:
    client.force_login(alice)
    alice.delete()
    assert identify_session(session_of(client), None) is None


def test_a_session_from_before_a_password_change_is_refused(alice: Any, client: Client) -> None:
    client.force_login(alice)
    alice.set_unusable_password()
    alice.save()
    assert identify_session(session_of(client), None) is None


def test_a_session_of_a_removed_backend_is_refused(alice: Any, client: Client) -> None:
    client.force_login(alice)
    session = client.session
    session[BACKEND_SESSION_KEY] = "project.no.Backend"
    session.save()
    assert identify_session(session_of(client), None) is None


@pytest.mark.parametrize("key", [SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY])
def test_an_incomplete_session_is_refused(alice: Any, client: Client, key: str) -> None:
    client.force_login(alice)
    session = client.session
    del session[key]
    session.save()
    assert identify_session(session_of(client), None) is None


def test_a_session_under_a_fallback_key_is_let_in_and_not_changed(alice: Any, client: Client, settings: Any) -> None:
    client.force_login(alice)
    key = session_of(client)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, made for this test only"
    # Session data is signed too: its salt falls back with the key.
    before = Session.objects.get(pk=key).session_data
    assert identify_session(key, None) is not None
    assert Session.objects.get(pk=key).session_data == before


def test_the_endpoints_permission_is_looked_up_on_the_way(alice: Any, root: Any, client: Client) -> None:
    permission = "monitor.view_dashboard"
    client.force_login(alice)
    identity = identify_session(session_of(client), permission)
    assert identity is not None
    assert not identity.permitted
    alice.user_permissions.add(Permission.objects.get(codename="view_dashboard"))
    identity = identify_session(session_of(client), permission)
    assert identity is not None
    assert identity.permitted


@pytest.mark.parametrize(
    ("cookie", "key"),
    [
        ("sessionid=abc", "abc"),
        ("a=b; sessionid=abc; c=d", "abc"),
        ("sessionid=", ""),
        ("a=b", None),
        ("xsessionid=abc", None),
        ("", None),
    ],
)
def test_the_session_cookie_is_found(cookie: str, key: str | None) -> None:
    assert session_key_of(scope(cookie=cookie)) == key
