"""Users of any model: ids as text, names, rights, rows. Assumes no field but those that Django itself asks for.

A user's id is text outside the database: on the wire, in Redis and in every key. It becomes the model's key again only
where the database is asked.
"""

import functools
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import EmailField, Field, Manager, Q, QuerySet

from hubbub.queries import rows_by

# Of users who post and join. Some hundred bytes each.
KEYS_KEPT = 4096


def id_of(user: Any) -> str:
    """The user's id as text, in the form that Django keeps in sessions."""
    return str(user._meta.pk.value_to_string(user))


def id_of_key(key: Any) -> str:
    """The same of a primary key, such as a foreign key's value."""
    return key_as_text(_pk(), key)


@functools.lru_cache(KEYS_KEPT)
def key_of(user_id: str | None) -> Any:
    """The primary key that an id stands for; None for a text that no key of this model has."""
    return key_from_text(_pk(), user_id)


def key_as_text(field: Any, key: Any) -> str:
    """A key of this primary key field as text."""
    return str(field.value_to_string(SimpleNamespace(**{field.attname: key})))


def key_from_text(field: "Field[Any, Any]", text: object) -> Any:
    """The key of this primary key field that reads so; None: there is none."""
    try:
        key = field.to_python(text)
        field.run_validators(key)  # Past its range a database raises.
    except (ValidationError, ValueError, TypeError, ArithmeticError):
        return None
    return key


def name_of(user: Any) -> str:
    """The name that others see: the value of USERNAME_FIELD, which may be an e-mail address or a number."""
    return str(user.get_username())


def is_active(user: Any) -> bool:
    """As Django's own backend has it: a model without the attribute has active users only."""
    return bool(getattr(user, "is_active", True))


def has_perm(user: Any, permission: str | None) -> bool:
    """Whether the user has the permission; None: every user has it. Models without permissions have none."""
    if permission is None:
        return True
    ask = getattr(user, "has_perm", None)
    return ask is not None and bool(ask(permission))


def has_permissions_of(user: Any, other: Any) -> bool:
    """Whether `user` has all the permissions that `other` has. Models without permissions have none."""
    held, wanted = _permissions_of(user), _permissions_of(other)
    return wanted <= held


def _permissions_of(user: Any) -> set[str]:
    ask: Any = getattr(user, "get_all_permissions", set)
    return set(ask())


def are_permissions_plain() -> bool:
    """Whether the model takes its permissions from Django's tables alone."""
    users: Any = get_user_model()
    return issubclass(users, PermissionsMixin) and users.has_perm is PermissionsMixin.has_perm


def active(relation: str) -> Q:
    """Rows whose user, at the other end of `relation`, is active; all, where the table does not say so."""
    return Q(**{f"{relation}__is_active": True}) if is_active_a_column() else Q()


def is_active_a_column() -> bool:
    """Whether `is_active` can be asked of the database: it may be a property, or stand in the class alone."""
    try:
        return bool(get_user_model()._meta.get_field("is_active").concrete)
    except FieldDoesNotExist:
        return False


def name_lookup(relation: str = "") -> str:
    """The name of users at the other end of `relation`, for `filter` and `order_by`."""
    field = str(get_user_model().USERNAME_FIELD)
    return f"{relation}__{field}" if relation else field


def name_searches(relation: str) -> list[str]:
    """The same for `ModelAdmin.search_fields`; none where the name is another model's."""
    users: Any = get_user_model()
    return [] if users._meta.get_field(users.USERNAME_FIELD).is_relation else [name_lookup(relation)]


def current_name(key: Any) -> str | None:
    """The name in the database of the user with this primary key; None: there is none."""
    user = get_user_model()._base_manager.filter(pk=key).first()
    return None if user is None else name_of(user)


def find_by_name(name: str) -> Any:
    """The user of this name, as the sign-in finds it. Raises the model's DoesNotExist."""
    users: Any = get_user_model()
    manager = users._default_manager
    try:
        if (find := getattr(manager, "get_by_natural_key", None)) is not None:
            return find(name)
        return manager.get(**{users.USERNAME_FIELD: name})
    except (ValueError, ValidationError):
        raise users.DoesNotExist from None


def create_user(name: str) -> Any:
    """A user of this name, without a password, by the model's own manager. Raises what that raises."""
    users: Any = get_user_model()
    create = getattr(users._default_manager, "create_user", users._default_manager.create)
    return create(**{users.USERNAME_FIELD: _as_name(name)})


def is_name_taken(name: str) -> bool:
    """Whether `create_superuser` of this name would find it taken."""
    try:
        find_by_name(_as_name(name))
    except get_user_model().DoesNotExist:
        return False
    return True


def create_superuser(name: str, password: str) -> Any:
    """The same with all rights. None: this model asks for more than a name and a password."""
    users: Any = get_user_model()
    create = getattr(users._default_manager, "create_superuser", None)
    if create is None:
        return None
    try:
        with transaction.atomic():
            return create(**{users.USERNAME_FIELD: _as_name(name)}, password=password)
    except (TypeError, ValueError, ValidationError, IntegrityError):
        return None


def _as_name(name: str) -> str:
    users: Any = get_user_model()
    return f"{name}@localhost" if isinstance(users._meta.get_field(users.USERNAME_FIELD), EmailField) else name


def read_users(keys: Collection[Any]) -> dict[Any, Any]:
    """The users of these primary keys that the model's manager knows, by key. One query."""
    users: Any = get_user_model()
    manager = users._default_manager
    found = rows_by(users, pk=keys) if _finds_all(manager) else manager.filter(pk__in=keys)
    return {user.pk: user for user in found}


@functools.cache
def _pk() -> Any:
    return get_user_model()._meta.pk


def _finds_all(manager: Any) -> bool:
    """Whether nothing of the team's own decides which rows are found."""
    return type(manager).get_queryset is Manager.get_queryset and manager._queryset_class is QuerySet
