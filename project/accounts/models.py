"""This site's user. Its own model from the first migration, so that it can change later."""

import hashlib
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Django's user; `username` is the name that others see."""

    # Part of what a session is checked by: a new salt ends all sessions. Empty until the first time.
    session_salt = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)

    # For the engine, which compares these instead of hashes.
    SESSION_HASH_FIELDS = ("password", "session_salt")

    def get_session_auth_hash(self) -> str:
        return self._salted(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return map(self._salted, super().get_session_auth_fallback_hash())

    def _salted(self, auth_hash: Any) -> str:
        if not self.session_salt:  # As before there was one: those sessions go on.
            return str(auth_hash)
        return hashlib.sha256(f"{auth_hash}:{self.session_salt}".encode()).hexdigest()


class BrowserSession(models.Model):
    """A session as its user sees it on the account page. Django's own table does not say whose a session is."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="browser_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    signed_in_at = models.DateTimeField(null=True)  # Null: it began before this was noted.
    seen_at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.address or "no address"  # Without the user, which would be a query for each row of a list.
