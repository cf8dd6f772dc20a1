"""Rows by the values of their fields, for places where building a query costs more than running it. Reads only."""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connection, models
from django.views.decorators.debug import sensitive_variables

TAKEN_AS_THEY_ARE: set[type] = {models.AutoField, models.BigAutoField, models.IntegerField, models.BigIntegerField}
TAKEN_AS_THEY_ARE |= {models.CharField, models.SlugField, models.EmailField, models.TextField}

M = TypeVar("M", bound=models.Model)


@sensitive_variables()
def rows_by(model: type[M], ending: str = "", /, **fields: Collection[Any]) -> list[M]:
    """The rows whose fields have one of the values given for each, by a query written by hand.

    For handshakes and the way of a post: the ORM would spend far longer on building its statements than they take
    to run. Fields go by their names, or `pk`, and values are as the fields have them. `ending` stands after the WHERE
    clause as it is.
    """
    if not all(fields.values()):
        return []
    plan = _plan(model, connection.vendor)
    if plan is None:
        return _by_orm(model, ending, fields)
    conditions: list[str] = []
    parameters: list[Any] = []
    for name, values in fields.items():
        column, prepare = plan.columns[name]
        conditions.append(f"{column} IN ({', '.join(['%s'] * len(values))})")
        parameters += values if prepare is None else map(prepare, values)
    with connection.cursor() as cursor:
        cursor.execute(f"{plan.select} WHERE {' AND '.join(conditions)}{ending}", parameters)
        found = cursor.fetchall()
    rows = []
    for values in map(list, found):
        for at, column, convert in plan.converters:
            values[at] = convert(values[at], column, connection)
        rows.append(model.from_db(connection.alias, plan.names, values))
    return rows


def parameter(model: type[models.Model], name: str, value: Any) -> Any:
    """The value of a field as statements take it: a UUID may be 32 letters in the database."""
    prepare = _preparation(model._meta.get_field(name), connection.vendor)
    return value if prepare is None or value is None else prepare(value)


def quoted(name: str) -> str:
    """The name of a table or a column as it stands in SQL: a team may have called it `group`."""
    return connection.ops.quote_name(name).replace("%", "%%")


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of a model on this kind of database: its fields, the query's beginning, and what makes columns into values."""

    names: list[str]
    select: str
    converters: list[tuple[int, Any, Any]]
    # By each name that a field goes by: how its column is written, and what makes values into parameters, if anything.
    columns: dict[str, tuple[str, Callable[[Any], Any] | None]]


@functools.cache
def _plan(model: type[models.Model], vendor: str) -> _Plan | None:
    """None: the model's rows do not lie in one table, or do not come as they are."""
    table, fields = model._meta.db_table, model._meta.concrete_fields
    for field in fields:
        if field.model._meta.db_table != table or type(field).select_format is not models.Field.select_format:
            return None
    columns = [field.get_col(table) for field in fields]
    converters = [
        (at, column, convert)
        for at, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    listed = ", ".join(quoted(str(field.column)) for field in fields)
    named = {
        name: (quoted(str(field.column)), _preparation(field, vendor))
        for field in fields
        for name in (field.name, field.attname)
    }
    assert model._meta.pk is not None
    return _Plan(
        names=[str(field.attname) for field in fields],
        select=f"SELECT {listed} FROM {quoted(table)}",  # noqa: S608 - names of models' own tables and columns
        converters=converters,
        columns={**named, "pk": named[model._meta.pk.name]},
    )


@functools.cache
def _preparation(field: Any, vendor: str) -> Callable[[Any], Any] | None:
    """None: the database takes the values as they are. Django's own way costs more than all the rest of a statement."""
    while field.remote_field is not None:
        field = field.target_field
    if type(field) in TAKEN_AS_THEY_ARE:
        return None
    if type(field) is models.UUIDField:
        return None if connection.features.has_native_uuid_field else attrgetter("hex")
    return lambda value: field.get_db_prep_value(value, connection)


def _by_orm(model: type[M], ending: str, fields: dict[str, Collection[Any]]) -> list[M]:
    assert not ending
    return list(model._base_manager.filter(**{f"{name}__in": values for name, values in fields.items()}).order_by())
