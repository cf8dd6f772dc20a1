"""Access tokens: how a client without a session cookie is let in."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hubbub import users


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def usable(self) -> "AccessTokenQuerySet":
        """Those that let somebody in at this moment."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, users.active("user"), revoked_at=None)


class AccessToken(models.Model):
    """A token reads `hub_<id>_<secret>`. Only the SHA-256 of the secret is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=80, help_text="What it is for, so that it can be told from the others.")
    scopes = models.CharField(
        max_length=400, default="", help_text="What it may be used for: names of settings.TOKEN_SCOPES, with blanks."
    )
    secret_sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (hub_{self.pk}_…)"

    def is_usable(self, at: datetime) -> bool:
        """Whether it let its user in at this time. Reads nothing."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    @property
    def state(self) -> str:
        """Why it lets nobody in, or `usable`. Reads the user."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "usable" if users.is_active(self.user) else "user not active"


class SiteIdentity(models.Model):
    """The site's id, in one row: its channels and keys in Redis begin with it (see hubbub.site)."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    site_id = models.CharField(max_length=32, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="hubbub_one_site")]

    def __str__(self) -> str:
        return self.site_id
