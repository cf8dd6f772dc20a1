"""The admin of access tokens: a token is shown once and kept nowhere; it can be revoked, not changed or deleted."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import create_token, known_scopes, revoke_token
from hubbub.models import AccessToken
from tests.support.pages import plain_static  # noqa: F401
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

TOKENS = reverse("admin:hubbub_accesstoken_changelist")
ADD = reverse("admin:hubbub_accesstoken_add")


@pytest.fixture
def admin(client: Any, root: Any) -> Any:
    client.force_login(root)
    return client


def make_token(user: Any, name: str = "probe", days: int = 30) -> AccessToken:
    return create_token(user=user, name=name, expires_at=timezone.now() + timedelta(days=days))[0]


def page_of(token: AccessToken) -> str:
    return reverse("admin:hubbub_accesstoken_change", args=[token.pk])


def revoke(client: Any, *tokens: AccessToken) -> Any:
    return client.post(TOKENS, {"action": "revoke", "_selected_action": [token.pk for token in tokens]})


def test_a_new_token_is_shown_once_and_lets_its_user_in(admin: Any, alice: Any) -> None:
    fields = {"user": str(alice.pk), "name": "probe", "expires_at_0": "2099-01-01", "expires_at_1": "12:00:00"}
    response = admin.post(ADD, fields | {"scopes": ["chat.write"]})
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    texts = re.findall(r"hub_\d+_[\w-]{30,}", response.content.decode())
    assert len(texts) == 1
    identity = identify_token(texts[0], None)
    assert identity is not None
    assert identity.user_id == str(alice.pk)
    assert identity.scopes == {"chat.write"}
    token = AccessToken.objects.get()
    assert (token.name, token.expires_at.year if token.expires_at else None) == ("probe", 2099)

    secret = texts[0].split("_", 2)[2]
    for address in (TOKENS, page_of(token), reverse("admin:index")):
        later = admin.get(address)
        assert secret not in later.content.decode()
        assert token.secret_sha256 not in later.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.is_addition()) == (str(token.pk), True)
    recorded = [entry.object_repr, entry.change_message, str(response.cookies), str(token.__dict__)]
    recorded += [str(session.get_decoded()) for session in Session.objects.all()]
    assert not [text for text in recorded if secret in text]


@pytest.mark.parametrize("scopes", [[], ["chat.admin"], ["chat.read", "admin"]])
def test_a_token_without_a_scope_or_with_one_that_is_none_is_refused_on_the_form(
    admin: Any, alice: Any, scopes: list[str]
) -> None:
    fields = {"user": str(alice.pk), "name": "probe", "expires_at_0": "2099-01-01", "expires_at_1": "12:00:00"}
    response = admin.post(ADD, fields | {"scopes": scopes})
    [error] = response.context["adminform"].form.errors["scopes"]
    assert error == "Tick at least one." if not scopes else "not one of the available choices" in error
    assert not AccessToken.objects.exists()


def test_the_form_proposes_thirty_days(admin: Any) -> None:
    form = admin.get(ADD).context["adminform"].form
    assert abs(form.initial["expires_at"] - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_the_form_proposes_no_scope(admin: Any) -> None:
    scopes = admin.get(ADD).context["adminform"].form["scopes"]
    assert len(scopes) == len(known_scopes())
    assert [box.data["selected"] for box in scopes] == [False] * len(scopes)


@pytest.mark.parametrize("who", ["expired", "inactive"])
def test_an_unusable_token_is_refused_on_the_form(admin: Any, alice: Any, who: str) -> None:
    alice.is_active = who != "inactive"
    alice.save()
    year = "2001" if who == "expired" else "2099"
    fields = {"user": str(alice.pk), "name": "probe", "expires_at_0": f"{year}-01-01", "expires_at_1": "12:00:00"}
    response = admin.post(ADD, fields)
    assert response.status_code == 200
    text = "would never be valid" if who == "expired" else "would not be valid"
    assert text in response.content.decode()
    assert not AccessToken.objects.exists()


def test_revocation_is_final_and_counts_usable_tokens(admin: Any, alice: Any, bob: Any) -> None:
    token, text = create_token(user=alice, name="probe", expires_at=None)
    other = make_token(bob)
    revoke_token(other)
    other.refresh_from_db()
    first = other.revoked_at
    response = revoke(admin, token, other)
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["1 access token revoked."]
    assert identify_token(text, None) is None
    other.refresh_from_db()
    assert other.revoked_at == first


def test_revoking_needs_the_permission_to_change_tokens(client: Any, alice: Any) -> None:
    token = make_token(alice)
    stan = make_user("stan", is_staff=True)
    client.force_login(stan)
    stan.user_permissions.set(Permission.objects.filter(codename="view_accesstoken"))
    revoke(client, token)
    token.refresh_from_db()
    assert token.state == "usable"
    stan.user_permissions.set(Permission.objects.filter(codename="change_accesstoken"))
    revoke(client, token)
    token.refresh_from_db()
    assert token.state == "revoked"


def test_a_token_is_neither_changed_nor_deleted(admin: Any, alice: Any, bob: Any) -> None:
    token = make_token(alice)
    assert admin.post(page_of(token), {"user": str(bob.pk), "name": "other"}).status_code == 403
    delete = reverse("admin:hubbub_accesstoken_delete", args=[token.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    admin.post(TOKENS, {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"})
    token.refresh_from_db()
    assert (token.user, token.name) == (alice, "probe")


def test_tokens_are_searched_and_filtered_by_state(admin: Any, alice: Any, bob: Any) -> None:
    make_token(alice, "good")
    make_token(alice, "old", days=-1)
    revoke_token(make_token(alice, "gone"))
    make_token(bob, "sleeping")
    bob.is_active = False
    bob.save()

    def rows(**query: str) -> dict[str, str]:
        return {token.name: token.state for token in admin.get(TOKENS, query).context["cl"].result_list}

    assert rows(state="usable") == {"good": "usable"}
    assert rows(state="expired") == {"old": "expired"}
    assert rows(state="revoked") == {"gone": "revoked"}
    assert rows(state="inactive") == {"sleeping": "user not active"}
    assert rows(q="bob") == {"sleeping": "user not active"}


def test_the_list_costs_the_same_with_one_row_and_with_twenty(admin: Any, alice: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(TOKENS).status_code == 200
        return len(seen)

    make_token(alice)
    admin.get(TOKENS)  # Fills Django's cache of content types.
    with_one = queries()
    for number in range(19):
        make_token(make_user(f"user-{number}"))
    assert queries() == with_one


def test_staff_get_no_token_of_a_user_with_more_rights(client: Any, root: Any, alice: Any) -> None:
    """As plain staff who may make tokens would watch the dashboard: by a token of the administrator's."""
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename__in=["add_accesstoken", "view_accesstoken"]))
    client.force_login(stan)
    fields = {"name": "probe", "expires_at_0": "2099-01-01", "expires_at_1": "12:00:00", "scopes": ["monitor.read"]}
    response = client.post(ADD, {**fields, "user": str(root.pk)})
    [error] = response.context["adminform"].form.errors["user"]
    assert "permissions that you do not have" in error
    assert not AccessToken.objects.exists()
    assert client.post(ADD, {**fields, "user": str(alice.pk)}).status_code == 200
    assert AccessToken.objects.get().user_id == alice.pk
