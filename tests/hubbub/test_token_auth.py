"""Authentication by access token: usable tokens, scopes, timing, last use."""

import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hubbub.auth.identity import identify_session, identify_token
from hubbub.auth.tokens import create_token, note_token_use, revoke_token
from hubbub.models import AccessToken
from tests.support.scopes import session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def test_a_token_lets_its_user_in(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=None)
    assert text.startswith(f"hub_{token.pk}_")
    identity = identify_token(text, None)
    assert identity is not None
    assert (identity.user_id, identity.token_id) == (str(alice.pk), token.pk)


def test_the_secret_is_not_kept(alice: Any) -> None:
    token, text = create_token(user=alice, name="script", expires_at=None)
    secret = text.split("_", 2)[2]
    row = AccessToken.objects.filter(pk=token.pk).values().get()
    assert all(secret not in str(value) for value in row.values())


def test_unusable_tokens_are_refused(alice: Any) -> None:
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


def test_revoked_expired_and_inactive_users_tokens_are_refused(alice: Any) -> None:
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
def test_the_time_does_not_reveal_why_a_token_is_refused(alice: Any, bob: Any) -> None:
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
    # In turn, so that other load of the machine affects all of them.
    for _ in range(400):
        for name, text in texts.items():
            began = time.perf_counter()
            assert identify_token(text, None) is None
            took[name].append(time.perf_counter() - began)
    # The quicker half: without the effect of other load.
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
