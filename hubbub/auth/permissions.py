"""Whether a user has a permission, for many joins at once: remembered until a hint about the user."""

import functools
import re
import threading
import time
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.utils.module_loading import import_string

from hubbub import users
from hubbub.auth.identity import with_permission
from hubbub.queries import database_of, parameter, quoted

PLAIN_NAME = re.compile(r"\w+\.\w+\Z", re.ASCII)
KNOWN_SECONDS = 30.0  # As the sweep of revocation: a hint may be lost, and a bulk update sends none.
MAX_KNOWN = 10_000  # Users.

_lock = threading.Lock()
# By user id and permission: when it is read again, and the answer.
_known: dict[str, dict[str, tuple[float, bool]]] = {}
_forgotten = 0


def has_permission(user_id: str, permission: str) -> bool:
    """Whether a user, who is active, has the permission, as this process has read it in the last 30 seconds.

    A change that sends a signal of Django is known at once. For what a page shows; `with_permission` is for writes.

    Args:
        user_id: as text.
        permission: such as `chat.change_room`.
    """
    known = _known.get(user_id, {}).get(permission)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    before = _forgotten
    answer = _read(user_id, permission)
    with _lock:
        if before == _forgotten:  # Else the answer may be older than the hint.
            of_user = _known.pop(user_id, {})
            _known[user_id] = {**of_user, permission: (time.monotonic() + KNOWN_SECONDS, answer)}
            if len(_known) > MAX_KNOWN:
                del _known[next(iter(_known))]
    return answer


def forget(user_ids: Collection[str] | None) -> None:
    """Read the permissions of these users again when they are asked for. None: of all."""
    global _forgotten
    with _lock:
        _forgotten += 1
        if user_ids is None:
            _known.clear()
        for user_id in user_ids or ():
            _known.pop(user_id, None)


def _read(user_id: str, permission: str) -> bool:
    condition = _condition_here(permission)
    if condition is None:
        return bool(with_permission({user_id}, permission))
    model: Any = get_user_model()
    key = users.key_of(user_id)
    with connections[database_of(model)].cursor() as cursor:
        cursor.execute(f"SELECT {condition}", [parameter(model, model._meta.pk.name, key)])
        return bool(cursor.fetchone()[0])


def _condition_here(permission: str) -> str | None:
    """The condition for a user with this key; None: not Django's own tables, in one database, decide alone."""
    [path, *other_paths] = settings.AUTHENTICATION_BACKENDS
    if other_paths or import_string(path) is not ModelBackend or not users.are_permissions_plain():
        return None
    model: Any = get_user_model()
    alias = database_of(model)
    if any(database_of(each) != alias for each in (Group, Permission, ContentType)):
        return None
    return _condition(permission, alias, model)


@functools.cache
def _condition(permission: str, alias: str, model: Any) -> str | None:
    table, flag = quoted(model._meta.db_table, alias), model._meta.get_field("is_superuser")
    if flag.model is not model or not PLAIN_NAME.match(permission):
        return None
    key, is_superuser = quoted(model._meta.pk.column, alias), quoted(flag.column, alias)
    own = _Relation(model._meta.get_field("user_permissions"), alias)
    groups = _Relation(model._meta.get_field("groups"), alias)
    of_group = _Relation(Group._meta.get_field("permissions"), alias)
    app_label, codename = permission.split(".")
    wanted = f"""
        (SELECT p.id FROM {quoted(Permission._meta.db_table, alias)} p
         JOIN {quoted(ContentType._meta.db_table, alias)} c ON c.id = p.content_type_id
         WHERE c.app_label = '{app_label}' AND p.codename = '{codename}')
    """  # noqa: S608 - names of models' own tables, and a permission of plain letters
    return f"""
        EXISTS (SELECT 1 FROM {table} u WHERE u.{key} = %s AND (
            u.{is_superuser}
            OR EXISTS (SELECT 1 FROM {own.table} o WHERE o.{own.near} = u.{key} AND o.{own.far} IN {wanted})
            OR EXISTS (SELECT 1 FROM {groups.table} g JOIN {of_group.table} h ON h.{of_group.near} = g.{groups.far}
                       WHERE g.{groups.near} = u.{key} AND h.{of_group.far} IN {wanted})
        ))
    """  # noqa: S608 - as above


class _Relation:
    """The table of a relation of many to many, and its columns, quoted."""

    def __init__(self, field: Any, alias: str) -> None:
        self.table = quoted(field.m2m_db_table(), alias)
        self.near = quoted(field.m2m_column_name(), alias)
        self.far = quoted(field.m2m_reverse_name(), alias)
