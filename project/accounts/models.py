"""The user model of this site, its own from the first migration, so that it can change later.

`name_key` decides whether two names look alike: see hubbub/text/confusables.py. It has no other meaning.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hubbub.text import is_reserved, validate_name, validate_user_name
from hubbub.text.confusables import fold_name, name_key, shown_key
from project.accounts.shown_names import (
    KEY_CHARS,
    SHOWN_NAME_CHARS,
    STATUS_CHARS,
    keys_of,
    lock_names,
    shown_name_key,
    tidy,
    validate_status,
)

NAME_CHARS = 150
KEYLESS_COMPARED = (
    1_000  # Users without a key that a new name is compared with: takes some milliseconds. Mostly none exist.
)
NAME_TAKEN = _("This name is taken, or looks like a name that is taken.")
KEY_FIELDS = {"username": "name_key", "shown_name": "shown_name_key"}


def key_of(name: str) -> str:
    """The `User.name_key` of a name."""
    return name_key(name)[:KEY_CHARS]


class UserManager(DjangoUserManager["User"]):
    """Creates users by the same rule of names as forms, and finds them by name in any case."""

    use_in_migrations = False

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with exactly this name, or with a name that differs only in case or compatibility forms.

        A name that only looks alike does not match: it cannot be used to sign in.
        """
        try:
            return super().get_by_natural_key(username)
        except self.model.DoesNotExist:
            name = username or ""
            if len(name) <= NAME_CHARS and (folded := fold_name(name)):
                for user in self.filter(name_key=key_of(name)):
                    if fold_name(user.username) == folded:
                        return user
            raise

    async def aget_by_natural_key(self, username: str | None) -> "User":
        return await sync_to_async(self.get_by_natural_key)(username)

    def get_by_shown_name(self, name: str) -> "User":
        """The user with this display name, which may differ in case or compatibility forms."""
        user = self.filter(shown_name_key=shown_name_key(name)).first()
        if user is None or fold_name(user.shown_name) != fold_name(tidy(name)):
            raise self.model.DoesNotExist
        return user

    def bulk_create(self, objs: Iterable["User"], *args: Any, **kwargs: Any) -> list["User"]:
        users = list(objs)
        for user in users:
            user.name_key = key_of(user.username)
            user.shown_name_key = user.key_to_show()
        return super().bulk_create(users, *args, **kwargs)

    def bulk_update(self, objs: Iterable["User"], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        users, fields = list(objs), set(fields)
        if "username" in fields:
            fields.add("name_key")
            for user in users:
                user.name_key = key_of(user.username)
        if "shown_name" in fields:
            fields.add("shown_name_key")
            for user in users:
                user.shown_name_key = user.key_to_show()
        return super().bulk_update(users, fields, *args, **kwargs)

    def _create_user_object(self, username: str, email: str | None, password: str | None, **extra: Any) -> "User":
        # For create_user and create_superuser: commands and scripts refuse the same names as the sign-up.
        user: User = super()._create_user_object(username, email, password, **extra)  # type: ignore[misc]
        user.check_name()
        return user

    async def _acreate_user(self, username: str, email: str | None, password: str | None, **extra: Any) -> "User":
        user: User = await sync_to_async(self._create_user)(username, email, password, **extra)  # type: ignore[attr-defined]
        return user


class User(AbstractUser):
    """Django's user; `shown_name` is the name that others see, or `username` where it is empty."""

    username = models.CharField(
        _("username"),
        max_length=NAME_CHARS,
        unique=True,
        validators=[validate_user_name],
        help_text=_("Shown to other users. Up to 150 characters: letters, digits and @ . + - _"),
        error_messages={"unique": NAME_TAKEN},
    )
    # Null: created by the previous release, or the newer of two old look-alikes. `manage.py name_keys` fills it.
    name_key = models.CharField(max_length=KEY_CHARS, unique=True, null=True, blank=True, editable=False)

    # What others see: the engine reads these attributes of a user model.
    shown_name = models.CharField(
        _("display name"),
        max_length=SHOWN_NAME_CHARS,
        blank=True,
        default="",
        db_default="",
        validators=[validate_name],
        help_text=_("Shown to other users instead of the user name, which stays the name to sign in with."),
        error_messages={"unique": NAME_TAKEN},
    )
    shown_status = models.CharField(
        _("status line"),
        max_length=STATUS_CHARS,
        blank=True,
        default="",
        db_default="",
        validators=[validate_status],
        help_text=_("One line, such as “Back on Monday”."),
    )
    # The hash of the picture; empty: none.
    shown_picture = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    # Null: no display name.
    shown_name_key = models.CharField(max_length=KEY_CHARS, unique=True, null=True, blank=True, editable=False)

    # What the pages of this user look like: see choices.py, and `page_choices` of the engine. Empty: by the browser.
    language = models.CharField(max_length=15, blank=True, default="", db_default="", editable=False)
    clock = models.CharField(max_length=2, blank=True, default="", db_default="", editable=False)
    theme = models.CharField(max_length=5, blank=True, default="", db_default="", editable=False)

    # Part of the session hash: a new salt ends all sessions. Empty until it is first used.
    session_salt = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)

    # The engine compares these fields instead of hashes.
    SESSION_HASH_FIELDS = ("password", "session_salt")

    objects: ClassVar[UserManager] = UserManager()

    def get_session_auth_hash(self) -> str:
        return self._salted(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return map(self._salted, super().get_session_auth_fallback_hash())

    def _salted(self, auth_hash: Any) -> str:
        if not self.session_salt:  # No salt yet: sessions from before this feature stay valid.
            return str(auth_hash)
        return hashlib.sha256(f"{auth_hash}:{self.session_salt}".encode()).hexdigest()

    def save(self, *args: Any, **kwargs: Any) -> None:
        fields: Collection[str] | None = kwargs.get("update_fields")
        names = {"username", "shown_name"} if fields is None else {"username", "shown_name"}.intersection(fields)
        if not names:
            super().save(*args, **kwargs)
            return
        new = [name for name in names if self._is_new(name)]
        if "username" in names:
            self.name_key = self._key_to_save()
        if "shown_name" in names:
            self.shown_name = tidy(self.shown_name)
            self.shown_name_key = self.key_to_show()
        if fields is not None:
            kwargs["update_fields"] = {*fields, *(KEY_FIELDS[name] for name in names)}
        if not new:
            super().save(*args, **kwargs)
            return
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            # Each column is unique, but a user name and a display name are in two: the lock keeps them apart.
            lock_names(using, set().union(*(keys_of(getattr(self, name)) for name in new)))
            if any(self._looks_like_another(name, using) for name in new):
                raise IntegrityError(NAME_TAKEN)
            super().save(*args, **kwargs)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate; an unchanged name is not checked, since old names may break the rule."""
        excluded = {*(exclude or ())}
        if "shown_name" not in excluded:
            self.shown_name = tidy(self.shown_name)
        if "shown_status" not in excluded:
            self.shown_status = tidy(self.shown_status)
        excluded |= {name for name in KEY_FIELDS if name not in excluded and self._keeps(name)}
        super().clean_fields(exclude=excluded)
        for name in KEY_FIELDS:
            if name not in excluded and is_reserved(getattr(self, name)) and not (self.is_staff or self.is_superuser):
                raise ValidationError({name: ValidationError(_("This name is for staff only."), code="reserved")})

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        super().validate_unique(exclude=exclude)
        for name in KEY_FIELDS:
            if name in (exclude or ()) or self._keeps(name):
                continue
            if (name == "username" and self._has_look_alike()) or self._looks_like_another(name):
                raise ValidationError({name: ValidationError(NAME_TAKEN, code="unique")})

    def check_name(self) -> None:
        """Check the rule of names only, without the rest of `full_clean`. Raises ValidationError."""
        others = {field.name for field in self._meta.concrete_fields} - {"username"}
        self.clean_fields(exclude=others)
        self.validate_unique(exclude=others)

    def key_to_show(self) -> str | None:
        """The key of the display name; None: there is none."""
        return shown_name_key(self.shown_name) or None

    def _is_new(self, name: str) -> bool:
        """Whether a save would take this name. Without a query where the key is as it was read."""
        if name == "shown_name":
            return bool(self.shown_name) and self.key_to_show() != self.shown_name_key
        return self._state.adding or (key_of(self.username) != self.name_key and not self._keeps(name))

    def _keeps(self, name: str) -> bool:
        if self._state.adding:
            return name == "shown_name" and not self.shown_name
        return type(self)._base_manager.filter(pk=self.pk, **{name: getattr(self, name)}).exists()

    def _has_look_alike(self) -> bool:
        """Whether another user name looks like this one."""
        keys = {key_of(self.username), shown_key(self.username)[:KEY_CHARS]}
        others = type(self)._base_manager.exclude(pk=self.pk)
        if others.filter(name_key__in=keys).exists():
            return True
        # During a rolling restart old processes create users without a key.
        newest = others.filter(name_key=None).order_by("-pk").values_list("username", flat=True)[:KEYLESS_COMPARED]
        return any(key_of(name) in keys for name in newest)

    def _looks_like_another(self, name: str, using: str | None = None) -> bool:
        """Whether a display name reads as any other name, or a user name as a display name."""
        text = getattr(self, name)
        if not text:
            return False
        keys = keys_of(text)
        reads_as = Q(shown_name_key__in=keys)
        if name == "shown_name":
            reads_as |= Q(name_key__in=keys)
        return type(self)._base_manager.using(using).exclude(pk=self.pk).filter(reads_as).exists()

    def _key_to_save(self) -> str | None:
        key = key_of(self.username)
        if key == self.name_key or self._state.adding:
            return key
        # An old look-alike can be saved without a key. A new name needs its key: the database enforces it.
        is_taken = type(self)._base_manager.filter(name_key=key).exclude(pk=self.pk).exists()
        return None if is_taken and self._keeps("username") else key


class Picture(models.Model):
    """The picture of a user, in the database: several hosts have no disk in common.

    In a table of its own: the user's row is read for each post.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="picture")
    # Part of its address, and on the user's row.
    digest = models.CharField(max_length=32, db_index=True)
    webp = models.BinaryField()

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.digest


class BrowserSession(models.Model):
    """The record of a session for the account page: Django's own table does not name the user of a session."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="browser_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    signed_in_at = models.DateTimeField(null=True)  # Null: signed in before this was recorded.
    seen_at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("browser session")
        verbose_name_plural = _("browser sessions")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.address or gettext("no address")  # Without the user: that would be a query for each row of a list.
