"""The first administrator of a new site, with a password that is shown once, by one of all hosts that start."""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections

from hubbub import users
from hubbub.supervisor.release_lock import Busy, release_lock

NAME = "admin"
WAIT_SECONDS = 30.0
BY_HAND = "make the first user: manage.py createsuperuser"


def is_wanted() -> bool:
    """Whether the site has no user at all yet, and the setting FIRST_ADMIN does not say no."""
    is_on: bool = getattr(settings, "FIRST_ADMIN", True)
    return is_on and not get_user_model()._default_manager.exists()


def make(say: Callable[[str], None]) -> str:
    """Make it, where no other host has been quicker. What to tell the operator; empty for nothing. For a thread."""
    try:
        with release_lock(WAIT_SECONDS, say):
            if users.is_name_taken(NAME):
                return ""
            password = secrets.token_urlsafe(12)
            admin = users.create_superuser(NAME, password)
            return BY_HAND if admin is None else f"{users.name_of(admin)} / {password}   (shown this once)"
    except Busy:
        return BY_HAND
    finally:
        connections.close_all()
