"""Sends mails with reset links from a separate thread, so that the response time does not reveal known addresses.

A leaf but for `passwords`. Mails that still wait when the process ends are not sent.
"""

import logging
import os
import queue
import threading
import unicodedata
from contextlib import suppress

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connections
from django.template.loader import render_to_string
from django.urls import set_script_prefix
from django.utils import translation
from django.utils.translation import gettext

from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, log_event
from project.accounts import conf
from project.accounts.hashing import Busy
from project.accounts.models import User
from project.accounts.passwords import lifetime, reset_link

logger = logging.getLogger(__name__)

MAX_ACCOUNTS = 50  # Links in one mail.
MAX_MAILS = 5  # For spellings of one email address.

Job = tuple[str, str, str, str | None]


def send_later(email: str, site: str, address: str) -> None:
    """Queue a mail with a link for each account with this email address. Raises Busy if too many mails wait."""
    global _jobs
    with _lock:
        if _jobs is None:
            _jobs = queue.Queue(conf.settings().reset_mails_waiting)
            # A daemon: a hanging mail server must not delay the end of the process.
            threading.Thread(target=_work, args=[_jobs], name="reset-mail", daemon=True).start()
    try:
        _jobs.put_nowait((email, site, address, translation.get_language()))
    except queue.Full:
        COUNTERS.limited["reset_mails"] += 1
        raise Busy from None


def _work(jobs: "queue.Queue[Job]") -> None:
    while True:
        try:
            _send(*jobs.get())
        except Exception as error:  # noqa: BLE001 - the database is unavailable
            _log_failure(error)
        finally:
            connections.close_all()


def _send(email: str, site: str, address: str, language: str | None = None) -> None:
    set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")  # Requests set it, each for its own thread.
    for recipient, users in _accounts(email).items():
        try:
            with translation.override(next((user.language for user in users if user.language), language)):
                _send_one(recipient, users, site, address)
        except Exception as error:  # noqa: BLE001 - a mail server may fail in any way
            _log_failure(error)


def _send_one(recipient: str, users: list[User], site: str, address: str) -> None:
    links = []
    for user in users:
        with suppress(User.DoesNotExist):  # Just deleted.
            links.append((user, reset_link(user, site)))
    if not links:
        return
    accounts = [{"name": user.get_username(), "link": link} for user, link in links]
    text = render_to_string("registration/reset-mail.txt", {"accounts": accounts, "lifetime": lifetime()})
    EmailMessage(gettext("Reset your password on Hubbub"), text, None, [recipient]).send()
    for user, _ in links:
        log_event(Kind.RESET_LINK_MADE, address=address, user=user.pk, detail="by email")


def _accounts(email: str) -> dict[str, list[User]]:
    """The accounts that get a link, by their stored address: the typed address may only look alike.

    Addresses are not verified, so other users can store this one. Their accounts must not displace the owner's: the
    typed spelling comes first, and older accounts come before newer ones.
    """
    found: dict[str, list[User]] = {}
    for user in User.objects.filter(email__iexact=email, is_active=True).order_by("date_joined", "pk"):
        if _fold(user.email) == _fold(email) and user.has_usable_password():
            users = found.setdefault(user.email, [])
            if len(users) < MAX_ACCOUNTS:
                users.append(user)
    normalize = User.objects.normalize_email
    spellings = sorted(found, key=lambda spelling: normalize(spelling) != normalize(email))
    return {spelling: found[spelling] for spelling in spellings[:MAX_MAILS]}


def _fold(email: str) -> str:
    return unicodedata.normalize("NFKC", email).casefold()


def _log_failure(error: Exception) -> None:
    """Log one line, without the address."""
    logger.warning("reset mail: not sent: %s", type(error).__name__)


_lock = threading.Lock()
_jobs: "queue.Queue[Job] | None" = None


def _forget_parents_thread() -> None:
    """Reset after a fork: a child does not inherit the thread."""
    global _lock, _jobs
    _lock, _jobs = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_parents_thread)
