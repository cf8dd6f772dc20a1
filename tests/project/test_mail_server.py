"""The address of the mail server, as an operator gives it: read in parts, or refused without showing its password."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import env

NAME = "HUBBUB_EMAIL_URL"
HOSTS = ["chat.example.org"]


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
    assert tuple(env.read_mail_server(NAME, HOSTS).values()) == parts


@pytest.mark.parametrize("text", [None, ""])
def test_without_an_address_there_is_no_mail(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.delenv(NAME, raising=False) if text is None else monkeypatch.setenv(NAME, text)
    assert env.read_mail_server(NAME, HOSTS) == {}


@pytest.mark.parametrize(
    "url",
    [
        *("mail.example.org", "http://me:geheim@mail", "smtp://", "smtp://me:geheim@", "smtp://me:geheim@mail:x"),
        *("smtp://me:geheim@mail/path", "smtp://me:geheim@mail?tls=1", "smtp://me:geheim@[::1"),
    ],
)
def test_what_is_no_address_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(NAME, url)
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is not smtp://") as caught:
        env.read_mail_server(NAME, HOSTS)
    assert "geheim" not in str(caught.value)


def test_links_to_a_host_that_a_request_makes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a mail to somebody else would choose where its link leads."""
    monkeypatch.setenv(NAME, "smtp://mail.example.org")
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} needs hosts by name"):
        env.read_mail_server(NAME, ["*"])
