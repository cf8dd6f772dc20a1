"""Rows by the values of their columns, for places where building a query costs more than running it. Reads only."""

import functools
from collections.abc import Collection
from typing import Any, TypeVar

from django.db import connection, models
from django.views.decorators.debug import sensitive_variables

M = TypeVar("M", bound=models.Model)


@sensitive_variables()
def rows_by(model: type[M], ending: str = "", /, **columns: Collection[Any]) -> list[M]:
    """The rows whose columns have one of the values given for each, by a query written by hand.

    For handshakes and the way of a post: the ORM would spend far longer on building its statements than they take
    to run. `ending` stands after the WHERE clause as it is.
    """
    if not all(columns.values()):
        return []
    names, select, converters = _plan(model, connection.vendor)
    where = " AND ".join(f"{name} IN ({', '.join(['%s'] * len(values))})" for name, values in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(f"{select} WHERE {where}{ending}", [value for values in columns.values() for value in values])
        found = cursor.fetchall()
    rows = []
    for values in map(list, found):
        for at, column, convert in converters:
            values[at] = convert(values[at], column, connection)
        rows.append(model.from_db(connection.alias, names, values))
    return rows


@functools.cache
def _plan(model: type[models.Model], vendor: str) -> tuple[list[str], str, list[tuple[int, Any, Any]]]:
    """Of a model on this kind of database: its fields, the query's beginning, and what makes columns into values."""
    columns = [field.get_col(model._meta.db_table) for field in model._meta.concrete_fields]
    converters = [
        (at, column, convert)
        for at, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    listed = ", ".join(f'"{column.target.column}"' for column in columns)
    names = [str(column.target.attname) for column in columns]
    return names, f"SELECT {listed} FROM {model._meta.db_table}", converters  # noqa: S608 - names of our own columns
