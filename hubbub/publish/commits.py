"""Wait with something until the transactions that its caller is in are committed. A leaf."""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.transaction import TransactionManagementError


def after_commit(do: Callable[[], None]) -> None:
    """Call `do` once every transaction of this thread is committed, on any database; at once when there is none.

    Never, if one of them, or the savepoint that the caller is in, is rolled back. What `do` raises then is logged and
    does not reach the code that commits. Raises TransactionManagementError, like Django's `on_commit`, where
    transactions are managed by hand (autocommit is off): Django does not say when such a one is committed.
    """
    in_transaction = []
    # `connections.all(initialized_only=True)` looks each up three times, which takes longer than all else of a publish.
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
