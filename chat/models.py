"""Rooms, memberships and messages.

Every durable change of a room takes the room's next `position` in its transaction: see `services` and `posting`.
"""

import secrets
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hubbub.process import utc
from hubbub.queries import database_of
from hubbub.text import natural_key, validate_name

SLUG_CHARS = 50
TITLE_CHARS = 80
BAN_REASON_CHARS = 200
SORT_KEY_CHARS = 520
MAX_BAN = timedelta(days=36_525)  # A hundred years. Times near the year 9999 overflow in other time zones.


BAD_END = "bad_end"  # The code of errors about the end of a ban.


def database() -> str:
    """The alias of the database that has all models of the chat."""
    return database_of(Room)


def room_sort_key(title: str, slug: str) -> str:
    """The key that rooms are sorted by: by title, and rooms of one title by slug."""
    return f"{natural_key(title)}00{natural_key(slug)}"[:SORT_KEY_CHARS]


def new_epoch() -> str:
    return secrets.token_hex(8)


class RoomSortKey(models.CharField):  # type: ignore[type-arg]  # Not subscriptable at run time.
    """Set from the title and the slug whenever the row is saved, also by `bulk_create`."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        room = cast(Room, model_instance)
        key = room_sort_key(room.title, room.slug)
        room.sort_key = key
        return key

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", arguments, options  # Migrations write the keys that they are given.


class Room(models.Model):
    """A room. Public: every signed-in user reads and posts. Private: its members only."""

    slug = models.CharField(
        _("slug"),
        max_length=SLUG_CHARS,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", _("Use small letters, digits and single hyphens."))],
        help_text=_("The room's name in addresses. It cannot be changed later."),
    )
    title = models.CharField(_("title"), max_length=TITLE_CHARS, validators=[validate_name])
    description = models.CharField(
        _("description"), max_length=200, blank=True, validators=[validate_name], db_column="topic"
    )
    is_private = models.BooleanField(_("private"), default=False, help_text=_("Only members may enter and read."))
    is_archived = models.BooleanField(_("archived"), default=False, help_text=_("Read-only: nobody can post."))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    # Lists of rooms are in its order: natural, and the same on each database.
    sort_key = RoomSortKey(max_length=SORT_KEY_CHARS, default="", db_default="", editable=False)

    # The number of durable changes, and of messages.
    position = models.PositiveBigIntegerField(default=0, editable=False)
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)
    # The position of the last change to the room itself (title, archived …).
    changed_position = models.PositiveBigIntegerField(default=0, editable=False)
    # Clients cannot resume from a position below this: messages were deleted.
    purged_position = models.PositiveBigIntegerField(default=0, editable=False)
    # Rises with each change of access to the room.
    access_version = models.PositiveBigIntegerField(default=0, editable=False)
    # Renewed after a restore of the database: positions of another epoch are not comparable.
    epoch = models.CharField(max_length=16, default=new_epoch, editable=False)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["sort_key", "pk"]
        permissions = [("read_any_room", "Can read all rooms, also private ones, without being a member")]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        fields: Collection[str] | None = kwargs.get("update_fields")
        if fields is not None and "title" in fields:
            kwargs["update_fields"] = {*fields, "sort_key"}
        super().save(*args, **kwargs)

    def take_position(self) -> int:
        """The position of a new change. The caller holds the room's lock and saves `position`."""
        self.position += 1
        return self.position

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate; an unchanged title or description is not checked, since older rooms may break the rule of names."""
        excluded = {*(exclude or ())}
        if not self._state.adding:
            saved = type(self)._base_manager.filter(pk=self.pk).first()
            names = ("title", "description")
            excluded |= {name for name in names if saved and getattr(saved, name) == getattr(self, name)}
        super().clean_fields(exclude=excluded)


class Membership(models.Model):
    """A user's role and ban in a room. A ban without a role does not make a member."""

    class Role(models.TextChoices):
        MEMBER = "member", _("Member")
        MODERATOR = "moderator", _("Moderator")
        NONE = "none", _("no member")

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("room"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(
        _("role"),
        max_length=10,
        choices=Role,
        default=Role.MEMBER,
        help_text=_("Moderators may delete the messages of others."),
    )
    banned_until = models.DateTimeField(
        _("banned until"), null=True, blank=True, help_text=_("The user cannot enter or read the room until then.")
    )
    ban_reason = models.CharField(
        _("reason of the ban"),
        max_length=BAN_REASON_CHARS,
        blank=True,
        default="",
        db_default="",
        validators=[validate_name],
        help_text=_("Shown to staff only, never to the banned user."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["room", "user"], name="membership_once")]
        # Each process looks for bans that have ended.
        indexes = [models.Index(fields=["banned_until"], condition=~Q(banned_until=None), name="membership_ban_ends")]

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"

    def clean(self) -> None:
        if self.role == self.Role.NONE and self.banned_until is None:
            raise ValidationError(
                _("This entry has neither a role nor a ban. Choose a role, set a ban or delete the entry.")
            )
        if self.banned_until is not None and self.banned_until > timezone.now() + MAX_BAN:
            saved = type(self)._base_manager.filter(pk=self.pk).values_list("banned_until", flat=True).first()
            if saved != self.banned_until:  # A longer ban from before this rule may stay.
                raise ValidationError(_("The end of the ban is more than 100 years away."), code=BAD_END)

    @property
    def is_member(self) -> bool:
        return self.role != self.Role.NONE

    @property
    def is_banned(self) -> bool:
        return self.banned_until is not None and self.banned_until > timezone.now()


class PersonalState(models.Model):
    """What is one user's own in a room: how far it is read, and its place in the user's list.

    Made when the user enters the room for the first time. Unread are the room's messages above `read_seq`.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="personal_states")
    read_seq = models.PositiveBigIntegerField(default=0)
    # Rises when the user marks messages unread: a later report of another page that it has shown them counts no more.
    read_version = models.PositiveBigIntegerField(default=0)
    is_muted = models.BooleanField(default=False)
    is_favourite = models.BooleanField(default=False)
    # A public room that the user has left: still open to the user, but not in the user's list.
    has_left = models.BooleanField(default=False)
    # Of the last change of this row, in the log of the user's changes. 0: not told to the user's pages yet.
    position = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("personal state")
        verbose_name_plural = _("personal states")
        constraints = [models.UniqueConstraint(fields=["user", "room"], name="personal_state_once")]
        indexes = [models.Index(fields=["id"], condition=Q(position=0), name="personal_state_untold")]

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"


class Message(models.Model):
    """One message. Deleting it empties its body and keeps its seq."""

    class Deleter(models.TextChoices):
        AUTHOR = "author", _("Author")
        MODERATOR = "moderator", _("Moderator")
        STAFF = "staff", _("Staff")

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages", verbose_name=_("room"))
    seq = models.PositiveBigIntegerField(_("seq"), editable=False)
    # Null: the account was deleted.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="messages",
        editable=False,
        verbose_name=_("author"),
    )
    client_id = models.UUIDField(_("client id"), default=uuid.uuid4, editable=False)
    body = models.TextField(_("body"), blank=True)
    at = models.DateTimeField(_("at"), editable=False)
    edited_at = models.DateTimeField(_("edited at"), null=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)
    # Empty as long as the message is not deleted, and for messages deleted before this was recorded.
    deleted_by = models.CharField(
        _("deleted by"), max_length=9, choices=Deleter, blank=True, default="", db_default="", editable=False
    )
    posted_position = models.PositiveBigIntegerField(editable=False)
    position = models.PositiveBigIntegerField(_("position"), editable=False)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["room", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["room", "seq"], name="message_seq_once"),
            models.UniqueConstraint(fields=["room", "position"], name="message_position_once"),
            # `client_id` first: a batch finds repeated posts by it alone.
            models.UniqueConstraint(fields=["client_id", "author", "room"], name="message_client_id_once"),
            models.CheckConstraint(condition=Q(deleted_at=None) | Q(body=""), name="message_deleted_is_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.room.slug} #{self.seq}"

    @property
    def at_utc(self) -> datetime:
        """`at` with its time zone, also on a site with USE_TZ off."""
        return utc(self.at)


class ErasedText(models.Model):
    """For a minute after authors delete a message: a keyed hash of its text, which must be the text of a restore."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="erased_text")
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("erased text")
        verbose_name_plural = _("erased texts")

    def __str__(self) -> str:
        return f"{self.message}"
