"""The account page: its form, its text, sessions and tokens of a user."""

from typing import Any

from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from tests.support.signing_in import NEW, PASSWORD

ACCOUNT = reverse("account")


def change(client: Client, old: str = PASSWORD, page: str = ACCOUNT, **more: str) -> Any:
    return client.post(page, {"old_password": old, "new_password1": NEW, "new_password2": NEW, **more})


def make_token(user: Any, name: str = "probe") -> AccessToken:
    return create_token(user=user, name=name, expires_at=None)[0]


def usable(user: Any) -> int:
    return AccessToken.objects.usable().filter(user=user).count()


def main_of(page: Any) -> str:
    """The page without its bar and dialogs, which are closed."""
    main: str = page.text.split("<main")[1].split("</main>")[0]
    return main


def session_of(client: Client) -> str:
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value
