"""Why a browser is not signed in any more: said on the sign-in page, to the holder of the former session cookie alone.

The reason is found where Django refuses the session. A cookie carries it to the sign-in page for some minutes.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import get_user
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from hubbub import users
from project.accounts.models import User

COOKIE = "signed_out"
# Of several open pages the first finds the session and deletes it. What the others find must not replace the reason.
COOKIE_OF_LATER = "signed_out_later"
SECONDS = 300
# In the session: the salt that the account had at sign-in. It tells a new password from "sign out everywhere".
SALT_OF_SESSION = "session_salt"

WORDS = {
    "password": "You were signed out: the password of this account was changed.",
    "everywhere": "You were signed out: another browser signed this account out everywhere.",
    "changed": "You were signed out: the password was changed, or another browser signed this account out everywhere.",
    "ended": "You were signed out: another browser signed this one out, or the session has expired.",
    "closed": "You were signed out: this account was deactivated or deleted.",
}
LATER = "ended"


def tell_why(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: have the browser bring the reason along to the sign-in page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        found: Any = request.user  # Not read yet.
        judged: Any = SimpleLazyObject(lambda: _judged(request, found))
        request.user = judged
        response = get_response(request)
        if reason := getattr(request, "signed_out_reason", ""):
            response.set_signed_cookie(
                COOKIE_OF_LATER if reason == LATER else COOKIE,
                reason,
                salt=__name__,
                max_age=SECONDS,
                path=reverse("sign-in"),
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response

    return middleware


def _judged(request: HttpRequest, found: Any) -> Any:
    """The user of the request. Where the session lets nobody in, the reason is noted."""
    said = _said_by(request)  # Before: a session that is refused is deleted.
    if not found.is_authenticated:
        request.signed_out_reason = "" if said is None else _reason(request, *said)  # type: ignore[attr-defined]
    return get_user(request)  # What `found` stands for: it was read once.


def _said_by(request: HttpRequest) -> tuple[Any, Any] | None:
    """User id and salt of the request's session; None for a browser without a session cookie."""
    if not request.COOKIES.get(settings.SESSION_COOKIE_NAME):
        return None
    return request.session.get(SESSION_KEY), request.session.get(SALT_OF_SESSION)


def words_for(request: HttpRequest) -> str:
    """What the sign-in page says about it; empty for those who are signed in, and for those who never were."""
    if request.user.is_authenticated:
        return ""
    found = getattr(request, "signed_out_reason", "")
    return WORDS.get(_kept(request, COOKIE) or found or _kept(request, COOKIE_OF_LATER), "")


def forget(request: HttpRequest, response: HttpResponse) -> None:
    """Somebody has signed in: it is not true any more."""
    request.signed_out_reason = ""  # type: ignore[attr-defined]
    for name in (COOKIE, COOKIE_OF_LATER):
        # As it was set: a deletion by `delete_cookie` would be without HttpOnly.
        response.set_cookie(
            name,
            max_age=0,
            path=reverse("sign-in"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def _kept(request: HttpRequest, name: str) -> str:
    return request.get_signed_cookie(name, default="", salt=__name__, max_age=SECONDS) or ""


def _reason(request: HttpRequest, user_id: Any, salt: Any) -> str:
    if user_id is None:
        # A session of somebody who has not signed in is still on record, and has a key.
        return LATER if request.session.session_key is None else ""
    user = User.objects.filter(pk=users.key_of(str(user_id)), is_active=True).first()
    if user is None:
        return "closed"
    if salt is None:
        return "changed"
    return "password" if salt == user.session_salt else "everywhere"
