"""Admission: as strict as Django's own, by session with a checked Origin or by token."""

import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from hubbub.auth.identity import identify_session, identify_token
from hubbub.auth.origin import is_own_origin
from hubbub.auth.sessions import session_key_of
from hubbub.auth.tokens import create_token, note_token_use, revoke_token
from hubbub.models import AccessToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

HOST = "chat.example.org"


def scope(
    *, origin: str | None = f"http://{HOST}", host: str = HOST, cookie: str = "sessionid=x", **more: Any
) -> dict[str, Any]:
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"type": "websocket", "headers": [*headers, *more.pop("headers", [])], **more}


def session_of(client: Client) -> str:
    return client.cookies["sessionid"].value


# Sessions


def test_a_session_lets_its_user_in(alice: Any, client: Client, django_assert_num_queries: Any) -> None:
    client.force_login(alice)
    with django_assert_num_queries(2):
        identity = identify_session(session_of(client), None)
    assert identity is not None
    assert (identity.user_id, identity.name, identity.permitted) == (str(alice.pk), "alice", True)


def test_a_session_that_is_nobodys_lets_nobody_in(client: Client) -> None:
    client.session.save()
    for key in ("", "x", "x" * 32, "\x00", "\x00" * 32, "a" * 10_000, client.session.session_key):
        assert identify_session(key or "", None) is None


def test_an_expired_session_lets_nobody_in(alice: Any, client: Client) -> None:
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


def test_a_session_from_before_a_password_change_lets_nobody_in(alice: Any, client: Client) -> None:
    client.force_login(alice)
    alice.set_unusable_password()
    alice.save()
    assert identify_session(session_of(client), None) is None


def test_a_session_of_a_backend_that_was_taken_away_lets_nobody_in(alice: Any, client: Client) -> None:
    client.force_login(alice)
    session = client.session
    session[BACKEND_SESSION_KEY] = "project.no.Backend"
    session.save()
    assert identify_session(session_of(client), None) is None


@pytest.mark.parametrize("key", [SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY])
def test_a_session_that_lacks_a_part_lets_nobody_in(alice: Any, client: Client, key: str) -> None:
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


# Origins


@pytest.fixture
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [HOST, "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example.net", "https://*.partner.example:8443"]


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (f"http://{HOST}", HOST),
        (f"http://{HOST}", f"{HOST}:80"),
        (f"http://{HOST}:8000", f"{HOST}:8000"),
        (f"http://{HOST.upper()}", HOST),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://app.example.net", HOST),
        ("https://a.partner.example:8443", HOST),
        ("https://partner.example:8443", HOST),  # As Django reads a wildcard: the domain itself too.
    ],
)
def test_its_own_and_trusted_origins_are_taken(origin: str, host: str) -> None:
    assert is_own_origin(scope(origin=origin, host=host))


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("attack", "origin", "host"),
    [
        ("no origin", None, HOST),
        ("null, of a sandboxed frame", "null", HOST),
        ("another site", "http://evil.example", HOST),
        ("another port", f"http://{HOST}:8001", f"{HOST}:8000"),
        ("another scheme", f"https://{HOST}", HOST),
        ("a subdomain", f"http://evil.{HOST}", HOST),
        ("a host that ends alike", f"http://evil{HOST}", HOST),
        ("a host that begins alike", f"http://{HOST}.evil.example", HOST),
        ("the host as a user name", f"http://{HOST}@evil.example", HOST),
        ("a path", f"http://{HOST}/x", HOST),
        ("a port that is none", f"http://{HOST}:x", HOST),
        ("not a URL", "http://[", HOST),
        ("empty", "", HOST),
        ("a file", "file://", HOST),
        ("a host that is not allowed", "http://evil.example", "evil.example"),
        ("no host", f"http://{HOST}", ""),
        ("a trusted host by another scheme", "http://app.example.net", HOST),
        ("a trusted host on another port", "https://app.example.net:444", HOST),
        ("beside a wildcard", "https://evilpartner.example:8443", HOST),
    ],
)
def test_another_origin_is_refused(attack: str, origin: str | None, host: str) -> None:
    assert not is_own_origin(scope(origin=origin, host=host))


@pytest.mark.usefixtures("hosts")
def test_two_origins_or_hosts_are_refused() -> None:
    assert not is_own_origin(scope(headers=[(b"origin", f"http://{HOST}".encode())]))
    assert not is_own_origin(scope(headers=[(b"host", HOST.encode())]))


@pytest.mark.usefixtures("hosts")
def test_behind_tls_the_configured_header_says_the_scheme(settings: Any) -> None:
    forwarded = [(b"x-forwarded-proto", b"https")]
    secure = scope(origin=f"https://{HOST}", headers=forwarded)
    assert not is_own_origin(secure)
    assert is_own_origin(scope(origin=f"https://{HOST}", scheme="wss"))
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert is_own_origin(secure)
    assert not is_own_origin(scope(headers=forwarded))


# Tokens


def test_a_token_lets_its_user_in(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=None)
    assert text.startswith(f"hub_{token.pk}_")
    identity = identify_token(text, None)
    assert identity is not None
    assert (identity.user_id, identity.token_id) == (str(alice.pk), token.pk)


def test_the_secret_is_not_kept(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=None)
    secret = text.split("_", 2)[2]
    kept = AccessToken.objects.filter(pk=token.pk).values().get()
    assert all(secret not in str(value) for value in kept.values())


def test_what_is_not_a_usable_token_lets_nobody_in(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=timezone.now() + timedelta(days=1))
    other, _ = create_token(user=alice, name="other", expires_at=None)
    secret = text.split("_", 2)[2]
    for wrong in (
        "",
        "hub",
        "hub__",
        f"hub_{token.pk}",
        f"hub_{token.pk}_",
        f"hub_{token.pk}_{secret}x",
        f"hub_{other.pk}_{secret}",
        f"hub_{'9' * 30}_{secret}",
        f"hub_٣_{secret}",
        f"hub_-1_{secret}",
        f"xub_{token.pk}_{secret}",
        f"hub_{token.pk}_\ud800",
        f"hub_{token.pk}_\x00",
        text + "x" * 10_000,
    ):
        assert identify_token(wrong, None) is None
    assert identify_token(text, None) is not None


def test_a_revoked_an_expired_and_an_inactive_users_token_let_nobody_in(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=None)
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert identify_token(text, None) is None
    AccessToken.objects.update(expires_at=None)
    alice.is_active = False
    alice.save()
    assert identify_token(text, None) is None
    alice.is_active = True
    alice.save()
    assert identify_token(text, None) is not None
    revoke_token(token)
    assert identify_token(text, None) is None
    first = AccessToken.objects.get().revoked_at
    revoke_token(token)
    assert AccessToken.objects.get().revoked_at == first


def test_a_tokens_scopes_come_with_it_and_a_session_has_no_bounds(alice: Any, client: Client) -> None:
    _, text = create_token(user=alice, name="script", expires_at=None, scopes=["chat.read"])
    identity = identify_token(text, None)
    assert identity is not None
    assert identity.has_any_scope({"chat.read", "chat.write"})
    assert identity.has_any_scope(set())
    assert not identity.has_any_scope({"chat.write"})
    client.force_login(alice)
    identity = identify_session(session_of(client), None)
    assert identity is not None
    assert identity.has_any_scope({"chat.write"})


def test_a_token_without_scopes_has_none(alice: Any) -> None:
    _, text = create_token(user=alice, name="script", expires_at=None, scopes=[])
    identity = identify_token(text, None)
    assert identity is not None
    assert not identity.has_any_scope({"chat.read"})
    with pytest.raises(ValueError, match="unknown token scope"):
        create_token(user=alice, name="script", expires_at=None, scopes=["chat.admin"])


@pytest.mark.slow
def test_the_time_does_not_tell_why_a_token_is_refused(alice: Any, bob: Any) -> None:
    now = timezone.now()
    good = {name: create_token(user=alice, name=name, expires_at=None) for name in ("wrong", "expired", "revoked")}
    good["inactive"] = create_token(user=bob, name="inactive", expires_at=None)
    AccessToken.objects.filter(name="expired").update(expires_at=now - timedelta(days=1))
    revoke_token(good["revoked"][0])
    bob.is_active = False
    bob.save()
    texts = {name: text for name, (_, text) in good.items()} | {
        "unknown": "hub_999999_" + "x" * 43,
        "not one": "x" * 50,
        "wrong": good["wrong"][1][:-1] + "_",
    }
    took: dict[str, list[float]] = {name: [] for name in texts}
    # In turn, so that whatever else this machine does falls on all of them.
    for _ in range(400):
        for name, text in texts.items():
            began = time.perf_counter()
            assert identify_token(text, None) is None
            took[name].append(time.perf_counter() - began)
    # The quicker ones: what they take by themselves, whatever else the machine did half of the time.
    quick = {name: statistics.quantiles(times, n=10)[0] for name, times in took.items()}
    # Some 0.1 ms: far below what a network lets anybody see.
    assert max(quick.values()) - min(quick.values()) < 0.5 * min(quick.values()), quick


def test_the_last_use_is_noted_to_the_minute(alice: Any) -> None:
    token, _ = create_token(user=alice, name="script", expires_at=None)
    note_token_use(token.pk)
    first = AccessToken.objects.get().last_used_at
    assert first is not None
    note_token_use(token.pk)
    assert AccessToken.objects.get().last_used_at == first
    AccessToken.objects.update(last_used_at=first - timedelta(minutes=2))
    note_token_use(token.pk)
    assert AccessToken.objects.get().last_used_at >= first
