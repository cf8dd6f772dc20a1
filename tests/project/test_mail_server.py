"""The address of the mail server, as an operator gives it: read in parts, or refused without showing its password."""

from typing import Any

import django.core.mail
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection

from project import env, mail

mailers: Any = getattr(django.core.mail, "mailers", None)  # Since Django 6.1.
NAME = "HUBBUB_EMAIL_URL"
SITE_NAME = "HUBBUB_SITE_URL"
SITE = "https://chat.example.org"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 25, "", "", False, False)),
        ("smtps://me%40x:p%3Aw@mail.example.org", ("mail.example.org", 465, "me@x", "p:w", True, False)),
        ("smtp+starttls://me:pw@[2001:db8::1]:2525/", ("2001:db8::1", 2525, "me", "pw", False, True)),
    ],
)
def test_the_parts_of_the_address(monkeypatch: pytest.MonkeyPatch, url: str, parts: tuple[object, ...]) -> None:
    monkeypatch.setenv(NAME, url)
    assert tuple(env.read_mail_server(NAME, SITE).values()) == parts


def test_the_parts_are_settings_of_this_django(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django 6.1 takes MAILERS, and warns of the names before."""
    monkeypatch.setenv(NAME, "smtps://me:pw@mail.example.org")
    for name, value in mail.mail_settings(env.read_mail_server(NAME, SITE)).items():
        setattr(settings, name, value)
    server = mailers.default if mailers else get_connection()
    assert (server.host, server.port, server.username, server.password) == ("mail.example.org", 465, "me", "pw")
    assert (server.use_ssl, server.use_tls, server.timeout) == (True, False, mail.TIMEOUT_SECONDS)


@pytest.mark.parametrize("text", [None, ""])
def test_without_an_address_there_is_no_mail(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.delenv(NAME, raising=False) if text is None else monkeypatch.setenv(NAME, text)
    assert env.read_mail_server(NAME, SITE) == {}


@pytest.mark.parametrize(
    "url",
    [
        *("mail.example.org", "http://me:geheim@mail", "smtp://", "smtp://me:geheim@", "smtp://me:geheim@mail:x"),
        *("smtp://me:geheim@mail/path", "smtp://me:geheim@mail?tls=1", "smtp://me:geheim@[::1"),
    ],
)
def test_text_that_is_no_address_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(NAME, url)
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is not smtp://") as caught:
        env.read_mail_server(NAME, SITE)
    assert "geheim" not in str(caught.value)


def test_mails_need_the_address_that_their_links_lead_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the host of a request, an attacker could choose the target of another user's link."""
    monkeypatch.setenv(NAME, "smtp://mail.example.org")
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} needs {SITE_NAME}"):
        env.read_mail_server(NAME, "")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://chat.example.org", SITE),
        ("https://Chat.Example.org/", SITE),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://192.0.2.1", "http://192.0.2.1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("", ""),
    ],
)
def test_the_address_of_the_site(monkeypatch: pytest.MonkeyPatch, text: str, address: str) -> None:
    monkeypatch.setenv(SITE_NAME, text)
    assert env.read_site_url(SITE_NAME) == address
    monkeypatch.delenv(SITE_NAME)
    assert env.read_site_url(SITE_NAME) == ""


@pytest.mark.parametrize(
    "text",
    [
        *("chat.example.org", "https://", "ftp://chat.example.org", "https://.example.org", "https://*", "https://a b"),
        *(f"{SITE}/chat", f"{SITE}?a=b", f"{SITE}#a", f"{SITE}:x", f"{SITE}:99999", "https://me@chat.example.org"),
        *("https://[::1", "//chat.example.org", "https:chat.example.org"),
    ],
)
def test_an_invalid_site_address_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(SITE_NAME, text)
    with pytest.raises(ImproperlyConfigured, match=f"^{SITE_NAME}=.* is not an address such as"):
        env.read_site_url(SITE_NAME)
