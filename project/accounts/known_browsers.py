"""Browsers that have signed in to an account before: a stranger's guesses at its password do not keep them out.

A signed cookie names the browser, by a random id, and the accounts. It lets nobody in: a password is asked for all the
same, and its tries are counted by this id.
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
MAX_ACCOUNTS = 8  # Of one browser, the last: a cookie has its bounds.
MAX_CHARS = 2000
ID = re.compile(r"[0-9a-f]{32}")


def known_browser(request: HttpRequest, user: Any) -> str:
    """The id of the request's browser, if it has signed in to the account of `user` before; otherwise empty."""
    browser, accounts = _read(request)
    return browser if user is not None and users.id_of(user) in accounts else ""


def remember(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Have the browser know that it has signed in to this account, or set its password by a link."""
    browser, accounts = _read(request)
    user_id = users.id_of(user)
    accounts = [user_id, *(one for one in accounts if one != user_id)][:MAX_ACCOUNTS]
    text = signing.dumps([browser or secrets.token_hex(16), *accounts], salt=SALT)
    response.set_cookie(
        COOKIE,
        text,
        max_age=SECONDS,
        path=reverse("account"),  # Where it is read and set: the pages to sign in and up, and of a reset link.
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
