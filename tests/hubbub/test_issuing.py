"""`hubbub.auth.create_token` and `revoke_token`: access tokens from the code of a team."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from hubbub.auth import create_token, revoke_token
from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import known_scopes
from hubbub.models import AccessToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def test_a_token_from_code_signs_its_user_in_with_its_scopes(alice: Any) -> None:
    text = create_token(alice, name=" build server ", scopes=["chat.read"], expires_in=timedelta(days=1))
    identity = identify_token(text, None)
    assert identity is not None
    assert (identity.user_id, identity.scopes) == (str(alice.pk), frozenset({"chat.read"}))
    token = alice.access_tokens.get()
    assert (token.name, token.state) == ("build server", "usable")
    assert timedelta(hours=23) < token.expires_at - timezone.now() <= timedelta(days=1)


def test_a_token_without_an_expiry_and_with_all_scopes(alice: Any) -> None:
    create_token(alice, name="script", scopes=None)
    token = alice.access_tokens.get()
    assert (token.expires_at, set(token.scopes.split())) == (None, set(known_scopes()))


def test_a_time_without_a_zone_is_in_that_of_the_settings(alice: Any) -> None:
    soon = timezone.localtime(timezone.now() + timedelta(hours=1))
    create_token(alice, name="script", scopes=[], expires_at=soon.replace(tzinfo=None))
    assert alice.access_tokens.get().expires_at == soon


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"expires_at": datetime(2020, 1, 2, tzinfo=UTC)}, "expires_at=datetime.datetime(2020, 1, 2, 0, 0, tzinfo="),
        ({"expires_in": timedelta(0)}, "expires_in=datetime.timedelta(0): this time is in the past"),
        ({"expires_in": timedelta.max}, "expires_in=datetime.timedelta(days=999999999"),
        ({"expires_in": 3600}, "expires_in=3600: a timedelta is needed"),
        ({"expires_at": "tomorrow"}, "expires_at='tomorrow': a datetime is needed"),
        (
            {"expires_in": timedelta(1), "expires_at": datetime(2090, 1, 1, tzinfo=UTC)},
            "expires_in and expires_at: give one of them",
        ),
        ({"scopes": ["chat.raed"]}, "scopes: 'chat.raed' is unknown: known are "),
        ({"scopes": "chat.read"}, "scopes='chat.read': a list of scopes is needed"),
        ({"name": "  "}, "name='  ': a text of 1 to 80 printable characters is needed"),
        ({"name": "x" * 81}, "a text of 1 to 80 printable characters is needed"),
        ({"name": "a\nb"}, "a text of 1 to 80 printable characters is needed"),
        ({"user": "alice"}, "user='alice': a saved User is needed"),
        ({"user": None}, "user=None: a saved User is needed"),
    ],
)
def test_an_argument_that_cannot_work_is_one_line(alice: Any, wrong: dict[str, Any], line: str) -> None:
    arguments = {"user": alice, "name": "script", "scopes": ["chat.read"], **wrong}
    with pytest.raises(ValueError) as refused:
        create_token(arguments.pop("user"), **arguments)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not AccessToken.objects.exists()


def test_a_user_who_is_not_active_gets_no_token(alice: Any) -> None:
    alice.is_active = False
    with pytest.raises(ValueError, match=r"^user: alice is not active: the token would not be valid$"):
        create_token(alice, name="script", scopes=[])
    with pytest.raises(ValueError, match=r"^user=.*: a saved User is needed$"):
        create_token(get_user_model()(username="unsaved"), name="script", scopes=[])


def test_more_scopes_than_a_row_holds_are_refused(alice: Any, settings: Any) -> None:
    many = {f"scope.of-a-team.{number}": "" for number in range(30)}
    settings.HUBBUB = settings.HUBBUB | {"TOKEN_SCOPES": many}
    with pytest.raises(ValueError, match=r"^scopes: all names together have more than 400 characters"):
        create_token(alice, name="script", scopes=[*many])


def test_a_token_is_revoked_by_its_text_or_its_row(alice: Any) -> None:
    text = create_token(alice, name="one", scopes=[])
    assert revoke_token(text) is True
    assert identify_token(text, None) is None
    assert revoke_token(text) is False
    other = create_token(alice, name="two", scopes=[])
    row = alice.access_tokens.get(name="two")
    assert revoke_token(row) is True
    assert identify_token(other, None) is None
    assert revoke_token(row) is False


def test_the_number_of_a_token_alone_revokes_nothing(alice: Any) -> None:
    """A page may pass on the text of its user: it must not end the tokens of others."""
    text = create_token(alice, name="script", scopes=[])
    number = alice.access_tokens.get().pk
    for wrong in ("", "hub", f"hub_{number}", f"hub_{number}_", f"hub_{number}_x", f"{text}x", "\ud800"):
        assert revoke_token(wrong) is False
    assert identify_token(text, None) is not None


def test_sockets_are_told_after_the_commit(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("hubbub.auth.tokens.publish_users_changed", told.append)
    text = create_token(alice, name="script", scopes=[])
    with transaction.atomic():
        revoke_token(text)
        assert told == []
    assert told == [[str(alice.pk)]]
