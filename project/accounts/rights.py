"""Compares rights of accounts: staff may not grant rights that they lack, nor take over accounts that have them."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from project.accounts.models import User


def lacks_rights_of(admin: Any, user: Any) -> bool:
    """Whether `user` has a right that `admin` lacks. Inactive accounts are compared with all their rights.

    If so, a password or reset link of `user` would give `admin` more rights than their own account has.
    """
    return user.pk in find_beyond(admin, [user])


def find_beyond(admin: Any, users: Collection[Any]) -> set[Any]:
    """The keys of the `users` with a right that `admin` lacks, by one query."""
    if _has_all(admin):
        return set()
    beyond = {user.pk for user in users if user.is_superuser or (user.is_staff and not admin.is_staff)}
    others = [user.pk for user in users if user.pk not in beyond and user.pk != admin.pk]
    lacked = Permission.objects.exclude(pk__in=_held_keys(admin))
    by_user = User.objects.filter(pk__in=others).order_by()
    found = by_user.filter(Q(user_permissions__in=lacked) | Q(groups__permissions__in=lacked))
    return beyond | set(found.values_list("pk", flat=True).distinct())


def grantable_permissions(admin: Any) -> QuerySet[Permission]:
    """The permissions that `admin` has and may grant."""
    permissions = Permission.objects.select_related("content_type")
    return permissions if _has_all(admin) else permissions.filter(pk__in=_held_keys(admin))


def grantable_groups(admin: Any) -> QuerySet[Group]:
    """The groups whose permissions `admin` has all."""
    if _has_all(admin):
        return Group.objects.all()
    lacked = Permission.objects.exclude(pk__in=_held_keys(admin))
    # A subquery: one lacked permission excludes the whole group.
    return Group.objects.exclude(pk__in=Group.permissions.through.objects.filter(permission__in=lacked).values("group"))


def lacks_rights_of_group(admin: Any, group: Group) -> bool:
    """Whether membership in `group` gives a permission that `admin` lacks."""
    return not grantable_groups(admin).filter(pk=group.pk).exists()


def _has_all(admin: Any) -> bool:
    return bool(admin.is_active and admin.is_superuser)


def _held_keys(admin: Any) -> list[Any]:
    """The keys of the admin's permissions from all backends, cached with `admin` for the request."""
    if (keys := getattr(admin, "_held_permission_keys", None)) is None:
        held = admin.get_all_permissions()
        keys = admin._held_permission_keys = _keys_of(held)
    return list(keys)


def _keys_of(held: Collection[str]) -> list[Any]:
    rows = Permission.objects.order_by().values_list("pk", "content_type__app_label", "codename")
    return [key for key, app, codename in rows if f"{app}.{codename}" in held]
