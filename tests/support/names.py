"""Users by name: sign-up, sign-in, the form of the admin, users of an earlier release."""

from typing import Any

from django.test import Client
from django.urls import reverse

from project.accounts.models import User
from tests.support.signing_in import PASSWORD


def sign_up(name: str) -> list[str]:
    """The errors beside the name; empty when the account was made."""
    given = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    response: Any = Client().post(reverse("sign-up"), given)
    if response.status_code == 302:
        return []
    errors: list[str] = response.context["form"].errors["username"]
    return errors


def sign_in(name: str, password: str = PASSWORD) -> str:
    """The name of the signed-in user; empty when sign-in failed."""
    client = Client()
    client.post(reverse("sign-in"), {"username": name, "password": password})
    pk = client.session.get("_auth_user_id")
    return str(User.objects.get(pk=pk)) if pk else ""


def of_before(name: str, **more: Any) -> User:
    """A user of an earlier release: no key, any name."""
    [user] = super(type(User.objects), User.objects).bulk_create([User(username=name, **more)])
    assert user.name_key is None
    return User.objects.get(username=name)


def form_of(user: User, **changes: str) -> dict[str, str]:
    fields = {"username": user.username, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    if user.is_staff:
        fields |= {"is_staff": "on", "is_superuser": "on"}
    return fields | changes
