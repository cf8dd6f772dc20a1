"""User models as teams have them; FOREIGN_USER_MODEL names the one that the site uses."""

import uuid
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class MemberManager(BaseUserManager):
    """A manager of the team's own, which does not know of those who left."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(left_at=None)

    def create_user(self, email: str, password: str | None = None, **more: Any) -> Any:
        member = self.model(email=self.normalize_email(email), **more)
        member.set_password(password)
        member.save(using=self._db)
        return member

    def create_superuser(self, email: str, password: str | None = None) -> Any:
        return self.create_user(email, password, is_staff=True, is_superuser=True)


class Member(AbstractBaseUser, PermissionsMixin):
    """A UUID as key, in a column and an attribute of other names, in a table that needs quotes; an e-mail as name."""

    badge = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, db_column="Badge No.")
    email = models.EmailField(unique=True, db_column="order")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    left_at = models.DateTimeField(null=True, blank=True)

    people = MemberManager()

    USERNAME_FIELD = "email"

    class Meta:
        db_table = "group"


class DeskMember(Member):
    """The same rows by another class, as in many admins."""

    class Meta:
        proxy = True


class Contact(models.Model):
    """Anybody, with an account or without."""

    mail = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)


class Account(Contact, AbstractBaseUser):
    """Rows that lie in two tables."""

    objects = BaseUserManager()

    USERNAME_FIELD = "mail"


class Reader(AbstractBaseUser):
    """A text as key, a number as name, and nothing else: neither rights nor `is_active` in the table."""

    card = models.CharField(primary_key=True, max_length=40, db_column="select")
    phone = models.BigIntegerField(unique=True)

    objects = BaseUserManager()

    USERNAME_FIELD = "phone"

    class Meta:
        db_table = "Order"


class Guest(AbstractBaseUser):
    """A number as key, and a status that says who is active."""

    number = models.BigAutoField(primary_key=True)
    handle = models.CharField(max_length=40, unique=True)
    status = models.CharField(max_length=10, default="here")

    objects = BaseUserManager()

    USERNAME_FIELD = "handle"

    @property
    def is_active(self) -> bool:
        return self.status == "here"
