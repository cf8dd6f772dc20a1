"""This site's user. Its own model from the first migration, so that it can change later."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user as it is; `username` is the name that others see."""
