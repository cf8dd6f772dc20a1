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
from django.db import models

from hubbub.text.confusables import fold_name, name_key, shown_key
from hubbub.text.names import is_reserved, validate_user_name

NAME_CHARS = 150
# A letter may map to several letters. PostgreSQL limits index entries to 2,704 bytes: longer keys are cut.
KEY_CHARS = 600
KEYLESS_COMPARED = (
    1_000  # Users without a key that a new name is compared with: takes some milliseconds. Mostly none exist.
)
NAME_TAKEN = "This name is taken, or looks like a name that is taken."


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

    def bulk_create(self, objs: Iterable["User"], *args: Any, **kwargs: Any) -> list["User"]:
        users = list(objs)
        for user in users:
            user.name_key = key_of(user.username)
        return super().bulk_create(users, *args, **kwargs)

    def bulk_update(self, objs: Iterable["User"], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        users, fields = list(objs), set(fields)
        if "username" in fields:
            fields.add("name_key")
            for user in users:
                user.name_key = key_of(user.username)
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
    """Django's user; `username` is the name that others see."""

    username = models.CharField(
        "username",
        max_length=NAME_CHARS,
        unique=True,
        validators=[validate_user_name],
        help_text="Shown to other users. Up to 150 characters: letters, digits and @ . + - _",
        error_messages={"unique": NAME_TAKEN},
    )
    # Null: created by the previous release, or the newer of two old look-alikes. `manage.py name_keys` fills it.
    name_key = models.CharField(max_length=KEY_CHARS, unique=True, null=True, blank=True, editable=False)

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
        if fields is None or "username" in fields:
            self.name_key = self._key_to_save()
            if fields is not None:
                kwargs["update_fields"] = {*fields, "name_key"}
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate; an unchanged name is not checked, since old names may break the rule."""
        excluded = {*(exclude or ())}
        if "username" not in excluded and self._keeps_its_name():
            excluded.add("username")
        super().clean_fields(exclude=excluded)
        if "username" not in excluded and is_reserved(self.username) and not (self.is_staff or self.is_superuser):
            raise ValidationError({"username": ValidationError("This name is for staff only.", code="reserved")})

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        super().validate_unique(exclude=exclude)
        if "username" not in (exclude or ()) and not self._keeps_its_name() and self._has_look_alike():
            raise ValidationError({"username": self.unique_error_message(type(self), ("username",))})

    def check_name(self) -> None:
        """Check the rule of names only, without the rest of `full_clean`. Raises ValidationError."""
        others = {field.name for field in self._meta.concrete_fields} - {"username"}
        self.clean_fields(exclude=others)
        self.validate_unique(exclude=others)

    def _keeps_its_name(self) -> bool:
        if self._state.adding:
            return False
        return type(self)._base_manager.filter(pk=self.pk, username=self.username).exists()

    def _has_look_alike(self) -> bool:
        keys = {key_of(self.username), shown_key(self.username)[:KEY_CHARS]}
        others = type(self)._base_manager.exclude(pk=self.pk)
        if others.filter(name_key__in=keys).exists():
            return True
        # During a rolling restart old processes create users without a key.
        newest = others.filter(name_key=None).order_by("-pk").values_list("username", flat=True)[:KEYLESS_COMPARED]
        return any(key_of(name) in keys for name in newest)

    def _key_to_save(self) -> str | None:
        key = key_of(self.username)
        if key == self.name_key or self._state.adding:
            return key
        # An old look-alike can be saved without a key. A new name needs its key: the database enforces it.
        is_taken = type(self)._base_manager.filter(name_key=key).exclude(pk=self.pk).exists()
        return None if is_taken and self._keeps_its_name() else key


class BrowserSession(models.Model):
    """The record of a session for the account page: Django's own table does not name the user of a session."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="browser_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    signed_in_at = models.DateTimeField(null=True)  # Null: signed in before this was recorded.
    seen_at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.address or "no address"  # Without the user: that would be a query for each row of a list.
