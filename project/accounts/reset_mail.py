"""Mails with a reset link, sent by a thread of its own, so that the answer to a request takes as long for any address.

A leaf but for `passwords`. Nothing is kept: mails that wait when the process ends are not sent.
"""

import logging
import os
import queue
import threading

from django.contrib.auth.forms import PasswordResetForm
from django.core.mail import EmailMessage
from django.db import connections
from django.template.loader import render_to_string

from project.accounts import conf
from project.accounts.hashing import Busy
from project.accounts.models import User
from project.accounts.passwords import lifetime, reset_link
from realtime.metrics import COUNTERS
from realtime.security import Kind, log_event

logger = logging.getLogger(__name__)

MAX_ACCOUNTS = 5  # Of one email address; each gets a mail of its own.

Job = tuple[str, str, str]


def send_later(email: str, site: str, address: str) -> None:
    """Send a link to each account with this email address, if there is any. Raises Busy when too many mails wait."""
    global _jobs
    with _lock:
        if _jobs is None:
            _jobs = queue.Queue(conf.settings().reset_mails_waiting)
            # A daemon: a mail server that hangs does not delay the end of the process.
            threading.Thread(target=_work, args=[_jobs], name="reset-mail", daemon=True).start()
    try:
        _jobs.put_nowait((email, site, address))
    except queue.Full:
        COUNTERS.limited["reset_mails"] += 1
        raise Busy from None


def _work(jobs: "queue.Queue[Job]") -> None:
    while True:
        try:
            _send(*jobs.get())
        except Exception as error:  # noqa: BLE001 - a mail server may fail in any way: one line, without the address
            logger.warning("a mail with a reset link could not be sent: %s", type(error).__name__)
        finally:
            connections.close_all()


def _send(email: str, site: str, address: str) -> None:
    for user in _accounts(email):
        context = {"name": user.get_username(), "link": reset_link(user, site), "lifetime": lifetime()}
        text = render_to_string("registration/reset-mail.txt", context)
        # To the address on record, not to the one that was typed and that the database found to be alike.
        EmailMessage("Your password on Hubbub", text, None, [user.email]).send()
        log_event(Kind.RESET_LINK_MADE, address=address, user=user.pk, detail="by email")


def _accounts(email: str) -> list[User]:
    found: list[User] = list(PasswordResetForm().get_users(email))
    return found[:MAX_ACCOUNTS]


_lock = threading.Lock()
_jobs: "queue.Queue[Job] | None" = None


def _forget_parents_thread() -> None:
    """In a child, right after the fork: the thread stays with the parent."""
    global _lock, _jobs
    _lock, _jobs = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_parents_thread)
