"""The first administrator of a new site: one of the starting hosts creates it, and shows its password once."""

import secrets
from collections.abc import Callable

from django.contrib.auth import get_user_model
from django.db import connections

from hubbub import conf, users
from hubbub.supervisor.release_lock import Busy, release_lock

NAME = "admin"
WAIT_SECONDS = 30.0
BY_HAND = "create the first user: manage.py createsuperuser"


def is_needed() -> bool:
    """Whether the site has no user yet, and HUBBUB["FIRST_ADMIN"] is true."""
    return conf.settings().first_admin and not get_user_model()._default_manager.exists()


def create_admin(report: Callable[[str], None]) -> str:
    """Create it, unless another host has done so. Run it in a thread.

    Args:
        report: receives a line when it waits for the lock of another host.

    Returns:
        The line for the operator, with name and password; empty if another host has created it.
    """
    try:
        with release_lock(WAIT_SECONDS, report):
            if users.is_name_taken(NAME):
                return ""
            password = secrets.token_urlsafe(12)
            admin = users.create_superuser(NAME, password)
            return BY_HAND if admin is None else f"{users.name_of(admin)} / {password}   (shown this once)"
    except Busy:
        return BY_HAND
    finally:
        connections.close_all()
