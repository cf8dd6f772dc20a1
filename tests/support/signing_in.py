"""Browsers that sign in from given addresses, and CSRF tokens of pages."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse

PASSWORD = "correct horse 7"
NEW = "battery staple 8"
HERE, THERE = "203.0.113.7", "198.51.100.9"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
OWN = {"HTTP_ORIGIN": "http://testserver", "HTTP_SEC_FETCH_SITE": "same-origin"}


def sign_in(name: str, password: str = "wrong", address: str = HERE, client: Client | None = None) -> Any:
    given = {"username": name, "password": password}
    return (client or Client()).post(reverse("sign-in"), given, REMOTE_ADDR=address)


def signed_in(name: str, address: str = HERE, **headers: str) -> Client:
    """A test client after sign-in by the page."""
    client = Client(REMOTE_ADDR=address, **headers)
    assert sign_in(name, PASSWORD, address, client).status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def token_of(page: Any) -> str:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    return token[1]
