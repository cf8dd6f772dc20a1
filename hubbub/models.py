"""Access tokens, for clients without a session cookie, and the identity of the site."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hubbub import users
from hubbub.process.times import now, utc


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def usable(self) -> "AccessTokenQuerySet":
        """Tokens that are valid now."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, users.active("user"), revoked_at=None)


class AccessToken(models.Model):
    """An access token, `hub_<id>_<secret>`. Only the SHA-256 of the secret is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens", verbose_name=_("user")
    )
    name = models.CharField(
        _("name"), max_length=80, help_text=_("Its purpose: the name distinguishes it from other tokens.")
    )
    scopes = models.CharField(
        _("scopes"), max_length=400, default="", help_text=_("Its permissions: names of scopes, separated by spaces.")
    )
    secret_sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, help_text=_("Empty: it does not expire."))
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (hub_{self.pk}_…)"

    def is_usable(self, at: datetime) -> bool:
        """Whether the token is valid at this time, apart from its user. No query."""
        return self.revoked_at is None and (self.expires_at is None or utc(self.expires_at) > utc(at))

    @property
    def state(self) -> str:
        """`usable`, or why the token is not valid. Reads the user."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and utc(self.expires_at) <= now():
            return "expired"
        return "usable" if users.is_active(self.user) else "user not active"


class SiteIdentity(models.Model):
    """The site id, one row: the prefix of its channels and keys in Redis (see hubbub.site)."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    site_id = models.CharField(max_length=32, editable=False)

    class Meta:
        verbose_name = _("site identity")
        verbose_name_plural = _("site identities")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="hubbub_one_site")]

    def __str__(self) -> str:
        return self.site_id


class TopicPosition(models.Model):
    """How many durable changes a topic has had: see `hubbub.topics.positions`. No row: none."""

    address = models.CharField(max_length=200, primary_key=True, editable=False)
    position = models.PositiveBigIntegerField(default=0, editable=False)
    # Rises with each change of access to the topic.
    access_version = models.PositiveBigIntegerField(default=0, editable=False)
    # Of the last change of either, in milliseconds of the database's clock.
    changed_ms = models.BigIntegerField(db_index=True, editable=False)

    class Meta:
        verbose_name = _("topic position")
        verbose_name_plural = _("topic positions")

    def __str__(self) -> str:
        return f"{self.address} {self.position}"


class TopicEpoch(models.Model):
    """The epoch of all positions in this database, one row: renewed after a restore."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    epoch = models.CharField(max_length=16, editable=False)

    class Meta:
        verbose_name = _("topic epoch")
        verbose_name_plural = _("topic epochs")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="hubbub_one_epoch")]

    def __str__(self) -> str:
        return self.epoch


class TopicOnce(models.Model):
    """A command that had its one effect: see `hubbub.topics.once`."""

    user_id = models.CharField(max_length=200, editable=False)
    address = models.CharField(max_length=200, editable=False)
    client_id = models.CharField(max_length=64, editable=False)
    command = models.CharField(max_length=60, editable=False)
    # SHA-256 of the arguments.
    arguments = models.CharField(max_length=64, editable=False)
    # The JSON of the result; empty while the command runs.
    answer = models.TextField(editable=False)
    at = models.DateTimeField(db_index=True, editable=False)

    class Meta:
        verbose_name = _("topic command")
        verbose_name_plural = _("topic commands")
        constraints = [models.UniqueConstraint(fields=["user_id", "address", "client_id"], name="hubbub_topic_once")]

    def __str__(self) -> str:
        return f"{self.address} {self.client_id}"
