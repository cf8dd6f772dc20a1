"""The reason why a browser was signed out, shown on the sign-in page to the holder of the old session cookie only.

The reason is found when Django refuses the session. A cookie keeps it for the sign-in page for some minutes.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import get_user
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from hubbub import users
from project.accounts.models import User

COOKIE = "signed_out"
# The first of several open pages finds and deletes the session. The others must not overwrite its reason.
COOKIE_OF_LATER = "signed_out_later"
SECONDS = 300
# A session key: the account's salt at sign-in. It distinguishes a new password from "sign out everywhere".
SALT_OF_SESSION = "session_salt"

NOTICES = {
    "password": _("You were signed out: the password of this account was changed."),
    "everywhere": _("You were signed out: another browser signed this account out everywhere."),
    "changed": _(
        "You were signed out: the password was changed, or another browser signed this account out everywhere."
    ),
    "ended": _("You were signed out: another browser signed this one out, or the session has expired."),
    "closed": _("You were signed out: this account was deactivated or deleted."),
}
LATER = "ended"


def store_reason(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: store the reason in a cookie for the sign-in page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user: Any = request.user  # Lazy: not read yet.
        lazy_user: Any = SimpleLazyObject(lambda: _with_reason(request, user))
        request.user = lazy_user
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


def _with_reason(request: HttpRequest, user: Any) -> Any:
    """The user of the request. If the session is refused, the reason is stored with the request."""
    session = _read_session(request)  # First: a refused session is deleted.
    if not user.is_authenticated:
        request.signed_out_reason = "" if session is None else _reason(request, *session)  # type: ignore[attr-defined]
    return get_user(request)  # The user behind the lazy object.


def _read_session(request: HttpRequest) -> tuple[Any, Any] | None:
    """The user id and salt of the session; None without a session cookie."""
    if not request.COOKIES.get(settings.SESSION_COOKIE_NAME):
        return None
    return request.session.get(SESSION_KEY), request.session.get(SALT_OF_SESSION)


def notice_for(request: HttpRequest) -> str:
    """The notice for the sign-in page; empty for signed-in users and for browsers that never were."""
    if request.user.is_authenticated:
        return ""
    reason = getattr(request, "signed_out_reason", "")
    return str(NOTICES.get(_cookie(request, COOKIE) or reason or _cookie(request, COOKIE_OF_LATER), ""))


def delete_reason(request: HttpRequest, response: HttpResponse) -> None:
    """Delete the reason after a sign-in."""
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


def _cookie(request: HttpRequest, name: str) -> str:
    return request.get_signed_cookie(name, default="", salt=__name__, max_age=SECONDS) or ""


def _reason(request: HttpRequest, user_id: Any, salt: Any) -> str:
    if user_id is None:
        # A stored session has a key: an anonymous session has not ended.
        return LATER if request.session.session_key is None else ""
    user = User.objects.filter(pk=users.key_of(str(user_id)), is_active=True).first()
    if user is None:
        return "closed"
    if salt is None:
        return "changed"
    return "password" if salt == user.session_salt else "everywhere"
