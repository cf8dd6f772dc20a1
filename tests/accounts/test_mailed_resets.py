"""Reset links by email: to the address on record only, bounded, without revealing accounts."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from project.accounts import login_throttle, reset_mail
from project.mail import mail_settings
from tests.support.mail_server import MailServer
from tests.support.personas import make_user
from tests.support.reset_links import use
from tests.support.signing_in import HERE, NEW, PASSWORD, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

FORGOTTEN = "/account/forgotten/"


def test_without_a_mail_server_no_mail_is_offered(owner: Any) -> None:
    assert FORGOTTEN not in Client().get(reverse("sign-in")).text
    assert Client().get(FORGOTTEN).status_code == 404
    assert Client().post(FORGOTTEN, {"email": "alice@example.org"}).status_code == 404


def mail_by(settings: Any, address: tuple[str, int]) -> None:
    """Let the site send mails by the server at this address."""
    settings.EMAIL_HOST_IS_SET = True
    for name, value in mail_settings({"host": address[0], "port": address[1]}).items():
        setattr(settings, name, value)


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        mail_by(settings, server.address)
        settings.SITE_URL = "http://testserver"
        yield server


@pytest.fixture
def mailed(transactional_db: None, owner: Any) -> Any:
    """Alice with an address, committed: the thread of the mails reads it."""
    owner.email = "Alice@example.org"
    owner.save()
    return owner


def ask(email: str = "alice@example.org", address: str = HERE) -> Any:
    return Client().post(FORGOTTEN, {"email": email}, REMOTE_ADDR=address)


def test_a_forgotten_password_is_replaced_by_mail(mail: MailServer, mailed: Any, caplog: Any) -> None:
    assert FORGOTTEN in Client().get(reverse("sign-in")).text
    assert ask().status_code == 200
    sent = mail.wait()
    assert sent.recipients == ["Alice@example.org"]
    assert "alice" in sent.text
    assert "within 24 hours" in sent.text
    [link] = [word for word in sent.text.split() if word.startswith("http://testserver/")]
    assert use(link).status_code == 302
    assert sign_in("alice", NEW).status_code == 302
    assert f"reset_link_made address={HERE} user={mailed.pk} connection=- 'by email'" in caplog.text
    assert "example.org" not in caplog.text


@pytest.mark.parametrize("host", ["evil.example.org", "testserver.example.org:8443"])
def test_a_mailed_link_leads_to_the_site_whatever_host_a_request_names(
    mail: MailServer, mailed: Any, settings: Any, host: str
) -> None:
    """Otherwise the owner of that host would receive a link that works."""
    settings.ALLOWED_HOSTS, settings.SITE_URL = [".example.org"], "https://chat.example.org"
    assert Client().post(FORGOTTEN, {"email": "alice@example.org"}, HTTP_HOST=host).status_code == 200
    [link] = [word for word in mail.wait().text.split() if "://" in word]
    assert link.startswith("https://chat.example.org/account/reset/")


def test_the_answer_does_not_reveal_accounts(mail: MailServer, mailed: Any, django_assert_num_queries: Any) -> None:
    make_user("gone", email="gone@example.org", is_active=False, password=PASSWORD)
    make_user("bob", email="bob@example.org")
    pages = []
    for number, email in enumerate(("alice@example.org", "nobody@example.org", "gone@example.org", "bob@example.org")):
        with django_assert_num_queries(0):
            pages.append(ask(email, f"192.0.2.{number}"))
    assert {(page.status_code, page.text) for page in pages} == {(200, pages[0].text)}
    ask("alice@example.org", "192.0.2.9")
    # They are sent in this order. An account that never had a password, or is not active, gets none.
    assert [mail.wait().recipients for _ in range(2)] == [["Alice@example.org"]] * 2
    assert len(mail.received) == 2


def test_a_mail_goes_to_the_address_on_record_and_not_to_one_that_looks_like_it(mail: MailServer, mailed: Any) -> None:
    ask("alıce@example.org")
    ask("ALICE@EXAMPLE.ORG")
    assert mail.wait().recipients == ["Alice@example.org"]
    assert len(mail.received) == 1


def test_a_slow_mail_server_delays_no_answer(mail: MailServer, mailed: Any) -> None:
    mail.is_held.set()
    began = datetime.now()
    assert ask().status_code == 200
    assert datetime.now() - began < timedelta(seconds=2)
    mail.is_held.clear()
    mail.wait()


def test_mails_to_one_address_are_limited(mail: MailServer, mailed: Any, caplog: Any) -> None:
    assert [ask(address=f"192.0.2.{number}").status_code for number in range(4)] == [200, 200, 200, 429]
    assert [ask("nobody@example.org", f"198.51.100.{n}").status_code for n in range(4)] == [200, 200, 200, 429]
    assert [ask(f"{number}@example.org").status_code for number in range(21)] == [200] * 20 + [429]
    assert f"reset_limited address={HERE}" in caplog.text
    assert 3000 < int(ask().headers["Retry-After"]) <= 3600


def test_more_mails_than_can_wait_are_refused(
    mail: MailServer, mailed: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACCOUNTS = {"RESET_MAILS_WAITING": 2, "RESET_MAILS_PER_EMAIL": 1000}
    monkeypatch.setattr(reset_mail, "_jobs", None)
    mail.is_held.set()
    answers = []
    for _ in range(4):
        client = Client(raise_request_exception=False)
        answers.append(client.post(FORGOTTEN, {"email": "alice@example.org"}).status_code)
    mail.is_held.clear()
    assert answers[:2] == [200, 200]
    assert answers[-1] == 503
    mail.wait()


def test_a_mail_server_that_is_away_is_one_line_without_an_address(mailed: Any, settings: Any, caplog: Any) -> None:
    with MailServer() as server:
        address = server.address
    mail_by(settings, address)
    assert ask().status_code == 200
    tries_left = 500
    while "reset mail: not sent" not in caplog.text:
        tries_left -= 1
        assert tries_left
        threading.Event().wait(0.02)
    assert "ConnectionRefusedError" in caplog.text
    assert "example.org" not in caplog.text
    assert login_throttle.try_reset_mail("alice@example.org", "192.0.2.77") == 0.0
