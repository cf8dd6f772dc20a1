"""Run a callback after the transactions of its caller are committed. A leaf."""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError


def after_commit(do: Callable[[], None]) -> None:
    """Call `do` after all transactions of this thread are committed, on any database; at once if there is none.

    It is not called if one of them, or the savepoint of the caller, is rolled back. Errors of `do` are logged and never
    reach the committing code.

    Raises:
        TransactionManagementError: autocommit is off, so Django does not report the commit. As Django's `on_commit`.
    """
    in_transaction = open_transactions()
    if not in_transaction:
        do()
        return
    uncommitted = len(in_transaction)

    def committed() -> None:
        nonlocal uncommitted
        uncommitted -= 1
        if not uncommitted:
            do()

    for connection in in_transaction:
        connection.on_commit(committed, robust=True)


def open_transactions() -> "list[BaseDatabaseWrapper]":
    """The connections of this thread that are in a transaction.

    Raises:
        TransactionManagementError: autocommit is off on one of them.
    """
    in_transaction = []
    # `connections.all(initialized_only=True)` costs more than the rest of a publish.
    opened: Any = connections._connections  # type: ignore[attr-defined]
    for alias in connections:
        connection = getattr(opened, alias, None)
        if connection is None:
            continue
        if connection.in_atomic_block:
            in_transaction.append(connection)
        elif connection.connection is not None and not connection.autocommit:
            raise TransactionManagementError(
                f"Autocommit is off on database {connection.alias!r}: publish after the commit, with now=True."
            )
    return in_transaction
