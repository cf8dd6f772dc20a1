"""The browsers of a signed-in user: recorded when seen, listed and signed out on the account page.

Works with every session engine that stores sessions on the server. A record grants no access: the session does.
"""

import logging
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends import signed_cookies
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.signals import post_delete
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from hubbub import users
from hubbub.auth import sessions
from hubbub.auth.sessions import is_signed_in
from hubbub.limits.token_buckets import Buckets
from hubbub.publish import publish_users_changed
from project.accounts import expired_sessions
from project.accounts.ended import SALT_OF_SESSION
from project.accounts.models import BrowserSession, User

logger = logging.getLogger(__name__)

SIGNED_IN_AT = "signed_in_at"  # A session key: seconds since 1970. It stays when the session gets a new key.
SEEN_EVERY = timedelta(hours=1)
MAX_LISTED = 100
USER_AGENT_CHARS = 200

# A session is recorded at most once an hour by all processes together: each reads the record first. For an hour after
# that a request costs one dictionary lookup.
_recorded = Buckets(per_second=1 / SEEN_EVERY.total_seconds(), burst=1)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Browser:
    """One entry of the list."""

    id: int
    name: str
    address: str
    signed_in_at: datetime | None
    seen_at: datetime
    is_this: bool


# Recording


def connect() -> None:
    """Connect the handlers. Called once, after all models are loaded."""
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.signed_in")
    if (model := sessions.model()) is not None:
        post_delete.connect(_session_deleted, sender=model, dispatch_uid="accounts.session_deleted")
        expired_sessions.step_done.connect(_sessions_expired, dispatch_uid="accounts.sessions_expired")


def record_browsers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: record the session of each request, also sessions from before this feature."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # No query for a page that did not use the session, and none after an error.
        if response.status_code < 400 and request.session.accessed and request.user.is_authenticated:
            _record(request, request.user)
        return response

    return middleware


def _record(request: HttpRequest, user: Any) -> None:
    key = request.session.session_key
    if key is None or not are_listed():
        return
    with _lock:
        if _recorded.take(key):
            return
    try:
        _write(request, user, key)
    except DatabaseError as error:
        with _lock:
            _recorded.give_back(key)
        logger.warning("browser list: session not recorded: %r", error)


def _write(request: HttpRequest, user: Any, key: str) -> None:
    now = timezone.now()
    records = BrowserSession.objects.filter(user=user)
    seen_at = records.filter(session_key=key).values_list("seen_at", flat=True).first()
    if seen_at is not None and (age := abs(now - seen_at)) < SEEN_EVERY:
        with _lock:
            _recorded.give_back(key, age / SEEN_EVERY)  # Due when the record is an hour old.
        return
    seen = {"seen_at": now, "address": address_of(request)[:45], "user_agent": _user_agent(request)}
    if seen_at is not None and records.filter(session_key=key).update(**seen):
        return
    signed_in_at = request.session.get(SIGNED_IN_AT)
    if signed_in_at is not None:
        signed_in_at = datetime.fromtimestamp(signed_in_at, UTC)
    BrowserSession.objects.update_or_create(
        session_key=key, defaults={"user": user, "signed_in_at": signed_in_at, **seen}
    )
    # Records of sessions that were cleared without a signal: no session outlives this time since it was seen.
    longest = timedelta(seconds=settings.SESSION_COOKIE_AGE) + 2 * SEEN_EVERY
    records.filter(seen_at__lt=now - longest).delete()


def _signed_in(request: HttpRequest, user: Any, **_: object) -> None:
    request.session[SIGNED_IN_AT] = int(timezone.now().timestamp())
    request.session[SALT_OF_SESSION] = user.session_salt
    if request.session.session_key is None:
        # After the flush of another user's session: a record needs a key.
        request.session.create()
    _record(request, user)  # At sign-in, so that no page is slower for it.


def _sessions_expired(keys: list[str], **_: object) -> None:
    living = sessions.read_sessions(keys)  # Extended in the last moment.
    BrowserSession.objects.filter(session_key__in=[key for key in keys if key not in living]).delete()


def _session_deleted(instance: Any, **_: object) -> None:
    BrowserSession.objects.filter(session_key=instance.session_key).delete()


def _user(request: HttpRequest) -> Any:
    return request.user


def address_of(request: HttpRequest) -> str:
    """The client's IP address; empty for a UNIX socket."""
    return str(request.META.get("REMOTE_ADDR") or "")


def _user_agent(request: HttpRequest) -> str:
    text = request.META.get("HTTP_USER_AGENT", "")[:USER_AGENT_CHARS]
    return "".join(char if char.isprintable() else " " for char in text)


# Listing and ending


def are_listed() -> bool:
    """Whether single sessions can be ended: false for sessions that are stored in cookies only."""
    return not issubclass(sessions.store(), signed_cookies.SessionStore)


def list_browsers(request: HttpRequest) -> list[Browser]:
    """The browsers of the request's user: this one first, then by last use."""
    user = _user(request)
    _record(request, user)
    records = list(BrowserSession.objects.filter(user=user)[:MAX_LISTED])
    living = sessions.read_sessions([record.session_key for record in records])
    dead = [record.pk for record in records if record.session_key not in living]
    if dead:
        BrowserSession.objects.filter(pk__in=dead).delete()
    browsers = [
        Browser(
            id=record.pk,
            name=describe(record.user_agent),
            address=record.address,
            signed_in_at=record.signed_in_at,
            seen_at=record.seen_at,
            is_this=record.session_key == request.session.session_key,
        )
        for record in records
        # A session of a former password is still on record, and lets nobody in.
        if record.session_key in living and is_signed_in(user, living[record.session_key].values())
    ]
    return sorted(browsers, key=lambda browser: not browser.is_this)


def end_session(user: Any, record_id: int) -> bool:
    """Sign the user out of one browser. False: not a browser of the user, or already signed out."""
    record = BrowserSession.objects.filter(user_id=user.pk, pk=record_id).first()
    if record is None:
        return False
    sessions.store()(record.session_key).delete()
    record.delete()
    # Session engines without a table send no signal.
    publish_users_changed([users.id_of(user)])
    return True


def end_other_sessions(request: HttpRequest) -> None:
    """Sign the user out of all other browsers, recorded or not."""
    with transaction.atomic():
        user = _renew_salt(request)
        update_session_auth_hash(request, user)
        request.session[SALT_OF_SESSION] = user.session_salt


def end_all_sessions(request: HttpRequest) -> None:
    """Sign the user out of all browsers, including this one."""
    _renew_salt(request)
    logout(request)


def _renew_salt(request: HttpRequest) -> User:
    """Raises User.DoesNotExist if the account was deleted."""
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=_user(request).pk)
        user.session_salt = secrets.token_hex(16)
        user.save(update_fields=["session_salt"])
        BrowserSession.objects.filter(user=user).exclude(session_key=request.session.session_key).delete()
    return user


# Names

BROWSERS = {
    "Edge": r"\bEdg(?:e|A|iOS)?/",
    "Opera": r"\b(?:OPR|Opera)/",
    "Samsung Internet": r"\bSamsungBrowser/",
    "Vivaldi": r"\bVivaldi/",
    "Firefox": r"\b(?:Firefox|FxiOS)/",
    "Chrome": r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/",
    "Safari": r"\bVersion/[\d.]+.*\bSafari/",
}
SYSTEMS = {
    "Windows": r"\bWindows\b",
    "Android": r"\bAndroid\b",
    "iPhone": r"\biPhone\b",
    "iPad": r"\biPad\b",
    "ChromeOS": r"\bCrOS\b",
    "macOS": r"\bMac OS X\b|\bMacintosh\b",
    "Linux": r"\bLinux\b|\bX11\b",
}


def describe(user_agent: str) -> str:
    """The browser and system of a user agent in familiar words: "Firefox on Windows"."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    if browser:
        return browser
    return gettext("A browser on %(system)s") % {"system": system} if system else gettext("Unknown program")


def _first(patterns: dict[str, str], text: str) -> str:
    return next((name for name, pattern in patterns.items() if re.search(pattern, text)), "")
