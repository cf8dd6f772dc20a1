"""Recipients of reset links by mail: accounts that share an address."""

from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from project.accounts import reset_mail
from project.accounts.models import User
from tests.support.personas import make_user
from tests.support.signing_in import HERE, PASSWORD

pytestmark = [pytest.mark.database, pytest.mark.django_db]

EMAIL = "alice@example.org"


def make_owner(name: str, email: str = EMAIL, days: int = 0) -> Any:
    """Somebody with this address, who signed up so many days after the first."""
    joined = timezone.now() - timedelta(days=1000 - days)
    return make_user(name, email=email, password=PASSWORD, date_joined=joined)


def send(mailoutbox: Any, email: str = EMAIL) -> list[tuple[list[str], str]]:
    reset_mail._send(email, "https://chat.example.org", HERE)
    return [(mail.to, mail.body) for mail in mailoutbox]


def named(text: str) -> list[str]:
    """The accounts that a mail with several links names."""
    return [line.partition(": ")[0] for line in text.splitlines() if ": https://" in line]


def test_younger_accounts_take_no_place_of_older_ones(mailoutbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset_mail, "MAX_ACCOUNTS", 4)
    for number in range(6):
        make_owner(f"foreign{number}", days=number + 1)
    make_owner("alice")  # The last row, and the oldest account.
    [(to, text)] = send(mailoutbox)
    assert to == [EMAIL]
    assert named(text) == ["alice", "foreign0", "foreign1", "foreign2"]


def test_an_address_of_one_account_gets_its_link_alone(mailoutbox: Any) -> None:
    make_owner("alice")
    [(_, text)] = send(mailoutbox)
    assert text.startswith("A new password was requested for alice on Hubbub. Set it here:\n\nhttps://chat.example")
    assert "works once, within 24 hours" in text


def test_the_link_has_the_path_that_the_site_is_served_under(mailoutbox: Any, settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/hubbub"
    make_owner("alice")
    try:
        # As in the thread of the mails: no request has set the path there.
        [(_, text)] = Context().run(send, mailoutbox)
    finally:
        settings.FORCE_SCRIPT_NAME = None
    assert "https://chat.example.org/hubbub/account/reset/" in text


def test_other_spellings_get_mails_of_their_own_after_the_one_that_was_typed(mailoutbox: Any) -> None:
    for number in range(reset_mail.MAX_MAILS):
        make_owner(f"foreign{number}", EMAIL[:number] + EMAIL[number:].upper(), days=number)
    make_owner("alice", days=500)
    sent = send(mailoutbox)
    assert len(sent) == reset_mail.MAX_MAILS
    assert sent[0][0] == [EMAIL]
    assert "for alice on" in sent[0][1]


@pytest.mark.parametrize("alike", ["mi\u212ae@example.org", "mike@example.or\u1d4d"])
def test_an_address_that_folds_to_the_same_gets_no_link_of_anothers(mailoutbox: Any, alike: str) -> None:
    make_owner("thief", alike)
    make_owner("mike", "mike@example.org", days=1)
    for asked in ("mike@example.org", alike):
        for to, text in send(mailoutbox, asked):
            assert ("for mike on" in text) == (to == ["mike@example.org"])


def test_one_account_that_fails_does_not_keep_the_others_from_their_mails(
    mailoutbox: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    link, sends = reset_mail.reset_link, EmailMessage.send
    for number, name in enumerate(("gone", "alice", "bob")):
        make_owner(name, days=number)
    make_owner("away", "Alice@example.org")

    def make_link(user: Any, site: str) -> str:
        if user.username == "gone":
            raise User.DoesNotExist
        return link(user, site)

    def refuse(mail: EmailMessage) -> int:
        if mail.to == ["Alice@example.org"]:
            raise ConnectionRefusedError
        return sends(mail)

    monkeypatch.setattr(reset_mail, "reset_link", make_link)
    monkeypatch.setattr(EmailMessage, "send", refuse)
    [(_, text)] = send(mailoutbox, "Alice@example.org")
    assert named(text) == ["alice", "bob"]
    assert "reset mail: not sent: ConnectionRefusedError" in caplog.text
    assert "example.org" not in caplog.text


def test_a_mail_has_the_language_of_the_account_or_else_of_the_request(mailoutbox: Any) -> None:
    bob = make_owner("bob", email="bob@example.org")
    User.objects.filter(pk=bob.pk).update(language="de")
    make_owner("alice")
    for email, language in (("bob@example.org", "en"), (EMAIL, "de"), (EMAIL, "en")):
        reset_mail._send(email, "https://chat.example.org", HERE, language)
    assert [mail.subject for mail in mailoutbox] == [
        "Dein neues Passwort auf Hubbub",
        "Dein neues Passwort auf Hubbub",
        "Reset your password on Hubbub",
    ]
    assert "innerhalb von 24 Stunden" in mailoutbox[0].body
