"""Users of any model: ids as text, names, permissions, rows. Uses only fields that Django itself requires.

Outside the database a user id is text: on the wire, in Redis and in every key. It is converted to the model's key only
for queries.
"""

import functools
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import IntegrityError, router, transaction
from django.db.models import EmailField, Field, Q

__all__ = [
    "active",
    "find_by_name",
    "find_by_shown_name",
    "has_perm",
    "id_of",
    "id_of_key",
    "is_active",
    "key_of",
    "label_of",
    "name_lookup",
    "name_of",
    "name_searches",
    "picture_of",
    "status_of",
]

# Cached keys, some hundred bytes each.
MAX_CACHED_KEYS = 4096

# Optional attributes of a user model.
SHOWN = ("shown_name", "shown_picture", "shown_status")


def id_of(user: Any) -> str:
    """The user id as text, as Django stores it in sessions."""
    return str(user._meta.pk.value_to_string(user))


def id_of_key(key: Any) -> str:
    """The user id of a primary key, such as the value of a foreign key."""
    return key_as_text(_pk(), key)


@functools.lru_cache(MAX_CACHED_KEYS)
def key_of(user_id: str | None) -> Any:
    """The primary key of a `user_id`; None: not a valid key of this model."""
    return key_from_text(_pk(), user_id)


def key_as_text(field: Any, key: Any) -> str:
    """A value of this primary key field as text."""
    return str(field.value_to_string(SimpleNamespace(**{field.attname: key})))


def key_from_text(field: "Field[Any, Any]", text: object) -> Any:
    """The value of this primary key field with this text; None: there is none."""
    try:
        key = field.to_python(text)
        field.run_validators(key)  # A database raises for values out of range.
    except (ValidationError, ValueError, TypeError, ArithmeticError):
        return None
    return key


def name_of(user: Any) -> str:
    """The name that others see: the model's attribute `shown_name`, or the user name if it lacks that, or it is empty.

    The user name is the value of USERNAME_FIELD, which may be an e-mail address or a number.
    """
    return str(getattr(user, "shown_name", "") or user.get_username())


def label_of(user: Any) -> str:
    """The name that others see, for staff with the user name after it where they differ."""
    name, user_name = name_of(user), str(user.get_username())
    return name if name == user_name else f"{name} ({user_name})"


def picture_of(user: Any) -> str:
    """The attribute `shown_picture`: the hash of the user's picture. Empty: there is none."""
    return str(getattr(user, "shown_picture", "") or "")


def status_of(user: Any) -> str:
    """The attribute `shown_status`: the user's status line. Empty: there is none."""
    return str(getattr(user, "shown_status", "") or "")


def shown_of(user: Any) -> dict[str, Any]:
    """What others see of a user: `name`, `picture` and `status`."""
    return {"name": name_of(user), "picture": picture_of(user), "status": status_of(user)}


def is_active(user: Any) -> bool:
    """Whether the user is active, as in Django's own backend: without the attribute all users are."""
    return bool(getattr(user, "is_active", True))


def has_perm(user: Any, permission: str | None) -> bool:
    """Whether the user has the permission. None: every user has. Users of models without permissions have none."""
    if permission is None:
        return True
    check = getattr(user, "has_perm", None)
    return check is not None and bool(check(permission))


def has_permissions_of(user: Any, other: Any) -> bool:
    """Whether `user` has all permissions of `other`."""
    return _permissions_of(other) <= _permissions_of(user)


def _permissions_of(user: Any) -> set[str]:
    get_permissions: Any = getattr(user, "get_all_permissions", set)
    return set(get_permissions())


def are_permissions_plain() -> bool:
    """Whether permissions come from Django's tables alone."""
    users: Any = get_user_model()
    return issubclass(users, PermissionsMixin) and users.has_perm is PermissionsMixin.has_perm


def active(relation: str) -> Q:
    """A filter for rows whose user, by `relation`, is active; all rows, if the table has no such column."""
    return Q(**{f"{relation}__is_active": True}) if is_active_a_column() else Q()


def is_active_a_column() -> bool:
    """Whether `is_active` is a column: it may be a property or a class attribute."""
    try:
        return bool(get_user_model()._meta.get_field("is_active").concrete)
    except FieldDoesNotExist:
        return False


def name_lookup(relation: str = "") -> str:
    """The lookup of the user name by `relation`, for `filter` and `order_by`."""
    field = str(get_user_model().USERNAME_FIELD)
    return f"{relation}__{field}" if relation else field


def name_searches(relation: str) -> list[str]:
    """As `name_lookup` by `relation`, for `ModelAdmin.search_fields`, with `shown_name` where that is a column.

    A user name that is a foreign key is left out.
    """
    users: Any = get_user_model()
    names = [] if users._meta.get_field(users.USERNAME_FIELD).is_relation else [name_lookup(relation)]
    return [*names, f"{relation}__shown_name"] if "shown_name" in _columns() else names


def shown_fields() -> frozenset[str] | None:
    """The fields that decide what others see of a user. None: any field may, by a property of the model."""
    shown = {name for name in SHOWN if hasattr(get_user_model(), name)}
    return frozenset({name_lookup(), *shown}) if shown <= _columns() else None


def current_shown(key: Any, using: str) -> dict[str, Any] | None:
    """As `shown_of` for a user in the database `using`, by primary key; None: no such user."""
    user = get_user_model()._base_manager.using(using).filter(pk=key).first()
    return None if user is None else shown_of(user)


def find_by_name(name: str) -> Any:
    """The user of this name, found as at sign-in. Raises the model's DoesNotExist."""
    users: Any = get_user_model()
    manager = users._default_manager.db_manager(router.db_for_write(users))
    try:
        if (find := getattr(manager, "get_by_natural_key", None)) is not None:
            return find(name)
        return manager.get(**{users.USERNAME_FIELD: name})
    except (ValueError, ValidationError):
        raise users.DoesNotExist from None


def find_by_shown_name(name: str) -> Any:
    """The one user whose display name is this name, in any case. Raises the model's DoesNotExist.

    The manager's `get_by_shown_name`, if it has one, decides; otherwise the column, if there is one.
    """
    users: Any = get_user_model()
    manager = users._default_manager.db_manager(router.db_for_write(users))
    try:
        if (find := getattr(manager, "get_by_shown_name", None)) is not None:
            return find(name)
        found = list(manager.filter(shown_name__iexact=name)[:2]) if name and "shown_name" in _columns() else []
    except (ValueError, ValidationError):
        found = []
    if len(found) != 1:
        raise users.DoesNotExist
    return found[0]


def create_user(name: str) -> Any:
    """Create a user without a password, by the model's own manager. Raises its errors."""
    users: Any = get_user_model()
    create = getattr(users._default_manager, "create_user", users._default_manager.create)
    return create(**{users.USERNAME_FIELD: _as_name(name)})


def is_name_taken(name: str) -> bool:
    """Whether `create_superuser` with this name would find it taken."""
    try:
        find_by_name(_as_name(name))
    except get_user_model().DoesNotExist:
        return False
    return True


def create_superuser(name: str, password: str) -> Any:
    """Create a superuser. None: the model requires more than a name and a password."""
    users: Any = get_user_model()
    create = getattr(users._default_manager, "create_superuser", None)
    if create is None:
        return None
    try:
        with transaction.atomic(using=router.db_for_write(users)):
            return create(**{users.USERNAME_FIELD: _as_name(name)}, password=password)
    except (TypeError, ValueError, ValidationError, IntegrityError):
        return None


def _as_name(name: str) -> str:
    users: Any = get_user_model()
    return f"{name}@localhost" if isinstance(users._meta.get_field(users.USERNAME_FIELD), EmailField) else name


def _columns() -> set[str]:
    return {field.name for field in get_user_model()._meta.concrete_fields}


@functools.cache
def _pk() -> Any:
    return get_user_model()._meta.pk
