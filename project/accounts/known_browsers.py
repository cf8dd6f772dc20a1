"""Browsers that signed in to an account before: password guesses from elsewhere do not lock them out.

A signed cookie has a random id of the browser and its accounts. It grants no access: the password is still required,
and its attempts are counted by this id.
"""

import re
import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from hubbub import users

COOKIE = "known_browser"
SALT = "project.accounts.known_browsers"
SECONDS = 365 * 86_400
MAX_ACCOUNTS = 8  # The last ones of a browser: cookies are limited.
MAX_CHARS = 2000
ID = re.compile(r"[0-9a-f]{32}")


def known_browser(request: HttpRequest, user: Any) -> str:
    """The id of the browser if it signed in to the account of `user` before; otherwise empty."""
    browser, accounts = _read(request)
    return browser if user is not None and users.id_of(user) in accounts else ""


def remember(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Set the cookie after a sign-in to this account or a password reset."""
    browser, accounts = _read(request)
    user_id = users.id_of(user)
    accounts = [user_id, *(account for account in accounts if account != user_id)][:MAX_ACCOUNTS]
    text = signing.dumps([browser or secrets.token_hex(16), *accounts], salt=SALT)
    response.set_cookie(
        COOKIE,
        text,
        max_age=SECONDS,
        path=reverse("account"),  # The pages that read and set it: sign-in, sign-up and reset link.
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    """The browser's id and its accounts; empty for a cookie that is not ours."""
    text = request.COOKIES.get(COOKIE, "")
    if not text or len(text) > MAX_CHARS:
        return "", []
    try:
        browser, *accounts = signing.loads(text, salt=SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return "", []
    return (browser, accounts) if isinstance(browser, str) and ID.fullmatch(browser) else ("", [])
