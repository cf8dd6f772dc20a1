"""`manage.py token`: the token alone on stdout, mistakes in one line."""

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import create_token, known_scopes, revoke_token
from hubbub.models import AccessToken


def run(*arguments: str) -> tuple[str, str]:
    """Run the command; return stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command("token", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_create_prints_the_token_alone_on_stdout(alice: Any) -> None:
    out, err = run("create", "alice", "--days", "7", "--name", "grafana")
    assert re.fullmatch(r"hub_\d+_[\w-]{30,}\n", out)
    identity = identify_token(out.strip(), None)
    assert identity is not None
    assert identity.user_id == str(alice.pk)
    token = AccessToken.objects.get()
    assert token.name == "grafana"
    assert token.expires_at is not None
    assert abs(token.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
    assert "grafana" in err
    assert out.strip() not in err


def test_a_token_is_given_the_scopes_that_are_named_or_all(alice: Any) -> None:
    _, err = run("create", "alice", "--scope", "chat.write", "--scope", "chat.read")
    assert "with chat.read, chat.write." in err
    run("create", "alice")
    assert [token.scopes for token in AccessToken.objects.order_by("pk")] == [
        "chat.read chat.write",
        " ".join(sorted(known_scopes())),
    ]
    with pytest.raises(CommandError, match="invalid choice"):
        run("create", "alice", "--scope", "chat.admin")


def test_thirty_days_unless_said_otherwise(alice: Any) -> None:
    run("create", "alice")
    expires_at = AccessToken.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "nobody"], "There is no user 'nobody'."),
        (["create", "alice", "--days", "0"], "--days must be from 1 to 3650, not 0."),
        (["create", "alice", "--days=-3"], "--days must be from 1 to 3650, not -3."),
        (["create", "alice", "--days", "99999999999"], "--days must be from 1 to 3650, not 99999999999."),
        (["create", "alice", "--name", " "], "--name must have from 1 to 80 characters."),
        (["create", "alice", "--name", "x" * 81], "--name must have from 1 to 80 characters."),
        (["create", "bob"], "bob is not active: the token would not be valid."),
        (["list", "nobody"], "There is no user 'nobody'."),
        (["revoke", "7"], "There is no token hub_7."),
        (["revoke", "hub_x"], "Not a token ID: give its number or hub_<number>, as in `manage.py token list`."),
        (["revoke", "9" * 40], "Not a token ID: give its number or hub_<number>, as in `manage.py token list`."),
    ],
)
def test_a_mistake_is_one_clear_line(alice: Any, bob: Any, arguments: list[str], complaint: str) -> None:
    bob.is_active = False
    bob.save()
    with pytest.raises(CommandError) as raised:
        run(*arguments)
    assert str(raised.value) == complaint
    assert not AccessToken.objects.exists()


def test_list_shows_all_or_one_users_and_no_secret(alice: Any, bob: Any) -> None:
    for user, name in ((alice, "grafana"), (bob, "robot")):
        create_token(user=user, name=name, expires_at=None)
    token = AccessToken.objects.get(name="robot")
    revoke_token(token)
    out, _ = run("list")
    header, first, second = [line.split() for line in out.splitlines()]
    scopes = ",".join(sorted(known_scopes()))
    assert header == ["ID", "USER", "STATE", "SCOPES", "EXPIRES", "LAST", "USED", "NAME"]
    assert first[1:] == ["alice", "usable", scopes, "never", "never", "grafana"]
    assert second == [f"hub_{token.pk}", "bob", "revoked", scopes, "never", "never", "robot"]
    assert token.secret_sha256 not in out
    out, _ = run("list", "alice")
    assert "grafana" in out
    assert "robot" not in out


def test_list_without_tokens_prints_nothing_on_stdout(alice: Any) -> None:
    assert run("list", "alice") == ("", "There are no tokens.\n")


@pytest.mark.parametrize("form", ["{0}", "hub_{0}"])
def test_revoke_takes_the_number_in_both_forms(alice: Any, form: str) -> None:
    token, text = create_token(user=alice, name="grafana", expires_at=None)
    out, err = run("revoke", form.format(token.pk))
    assert out == ""
    assert err.endswith("is revoked.\n")
    assert identify_token(text, None) is None
    assert "already" in run("revoke", form.format(token.pk))[1]
