"""Rows by field values, for places where the ORM takes longer than the query. Reads only."""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.views.decorators.debug import sensitive_variables

__all__ = ["database_of", "parameter", "read_users", "rows_by"]

PLAIN_FIELDS: set[type] = {models.AutoField, models.BigAutoField, models.IntegerField, models.BigIntegerField}
PLAIN_FIELDS |= {models.CharField, models.SlugField, models.EmailField, models.TextField}

M = TypeVar("M", bound=models.Model)


def database_of(model: type[models.Model]) -> str:
    """The alias of the database whose rows of the `model` decide: the one that the site's routers write to.

    Not one that they read from: a replica lags, and would keep a revoked user in.
    """
    return router.db_for_write(model) if router.routers else DEFAULT_DB_ALIAS


@sensitive_variables()
def rows_by(model: type[M], ending: str = "", /, **fields: Collection[Any]) -> list[M]:
    """Find rows by a hand-written query, for handshakes and posts: the ORM builds statements slower than they run.

    Args:
        model: of the rows.
        ending: raw SQL after the WHERE clause.
        fields: by field name, or `pk`: the allowed values.
    """
    if not all(fields.values()):
        return []
    alias = database_of(model)
    plan = _plan(model, alias)
    if plan is None:
        return _by_orm(model, alias, ending, fields)
    connection = connections[alias]
    conditions: list[str] = []
    parameters: list[Any] = []
    for name, values in fields.items():
        column, prepare = plan.columns[name]
        conditions.append(f"{column} IN ({', '.join(['%s'] * len(values))})")
        parameters += values if prepare is None else map(prepare, values)
    with connection.cursor() as cursor:
        cursor.execute(f"{plan.select} WHERE {' AND '.join(conditions)}{ending}", parameters)
        records = cursor.fetchall()
    rows = []
    for values in map(list, records):
        for at, column, convert in plan.converters:
            values[at] = convert(values[at], column, connection)
        rows.append(model.from_db(alias, plan.names, values))
    return rows


def read_users(keys: Collection[Any]) -> dict[Any, Any]:
    """The users that the model's manager finds for these primary keys, by key. One query."""
    users: Any = get_user_model()
    manager = users._default_manager
    if router.routers:
        manager = manager.db_manager(database_of(users))
    # The manager is Django's own, without custom filters.
    is_plain = type(manager).get_queryset is models.Manager.get_queryset
    if is_plain and manager._queryset_class is models.QuerySet:
        rows = rows_by(users, pk=keys)
    else:
        rows = list(manager.filter(pk__in=keys))
    return {user.pk: user for user in rows}


def parameter(model: type[models.Model], name: str, value: Any) -> Any:
    """The value of the `model`'s field `name` as an SQL parameter: some databases store a UUID as 32 characters."""
    prepare = _preparation(model._meta.get_field(name), database_of(model))
    return value if prepare is None or value is None else prepare(value)


def quoted(name: str, alias: str = DEFAULT_DB_ALIAS) -> str:
    """Quote a table or column name for SQL: it may be a keyword such as `group`."""
    return connections[alias].ops.quote_name(name).replace("%", "%%")


@dataclass(frozen=True, slots=True)
class _Plan:
    """The query of one model on one database."""

    names: list[str]
    select: str
    converters: list[tuple[int, Any, Any]]
    # By name and attname of each field: the quoted column, and the conversion of values to parameters.
    columns: dict[str, tuple[str, Callable[[Any], Any] | None]]


@functools.cache
def _plan(model: type[models.Model], alias: str) -> _Plan | None:
    """None: the rows span several tables, or a field has its own select format."""
    table, fields = model._meta.db_table, model._meta.concrete_fields
    for field in fields:
        if field.model._meta.db_table != table or type(field).select_format is not models.Field.select_format:
            return None
    connection = connections[alias]
    columns = [field.get_col(table) for field in fields]
    converters = [
        (at, column, convert)
        for at, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    listed = ", ".join(quoted(str(field.column), alias) for field in fields)
    named = {
        name: (quoted(str(field.column), alias), _preparation(field, alias))
        for field in fields
        for name in (field.name, field.attname)
    }
    assert model._meta.pk is not None
    return _Plan(
        names=[str(field.attname) for field in fields],
        select=f"SELECT {listed} FROM {quoted(table, alias)}",  # noqa: S608 - names of models' own tables and columns
        converters=converters,
        columns={**named, "pk": named[model._meta.pk.name]},
    )


@functools.cache
def _preparation(field: Any, alias: str) -> Callable[[Any], Any] | None:
    """The conversion of values to parameters; None: not needed. Django's own costs more than the rest of the query."""
    while field.remote_field is not None:
        field = field.target_field
    if type(field) in PLAIN_FIELDS:
        return None
    if type(field) is models.UUIDField:
        return None if connections[alias].features.has_native_uuid_field else attrgetter("hex")
    return lambda value: field.get_db_prep_value(value, connections[alias])


def _by_orm(model: type[M], alias: str, ending: str, fields: dict[str, Collection[Any]]) -> list[M]:
    assert not ending
    rows = model._base_manager.using(alias).filter(**{f"{name}__in": values for name, values in fields.items()})
    return list(rows.order_by())
