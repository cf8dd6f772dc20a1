"""Positions of topics that have no row of their own: one table of the engine, on the database of the topic.

No row means position 0. A row is never deleted, so a key that is used again counts on.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence

from django.db import connections

from hubbub.delivery.recovery import StreamPosition
from hubbub.models import TopicEpoch, TopicPosition
from hubbub.process.pacing import slices

# The clock of the database, in milliseconds: processes and hosts compare changes by it. It goes on in a transaction.
NOW_MS = {
    "postgresql": "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}

TABLE = TopicPosition._meta.db_table
NO_EPOCH = "0"  # Of a database whose epoch was never renewed.
# SQLite takes some 32,000 parameters a statement.
ADDRESSES_PER_QUERY = 500


def take(database: str, addresses: Collection[str], access: Collection[str] = ()) -> dict[str, int]:
    """Take the next position of each topic. The rows are locked until the end of the transaction.

    Sorted, so that two transactions lock in one order. One statement, unless there are very many.

    Args:
        database: an alias.
        addresses: of topics that changed.
        access: of topics with a change of access: the next comparison of each process checks their members.

    Returns:
        The position by address, of both.
    """
    taken: dict[str, int] = {}
    for part in slices(sorted({*addresses, *access}), ADDRESSES_PER_QUERY):
        taken |= _raise(database, [(address, int(address in addresses), int(address in access)) for address in part])
    return taken


def take_several(database: str, counts: Mapping[str, int]) -> dict[str, int]:
    """As `take` for logs with several changes each.

    Args:
        database: an alias.
        counts: by address, the number of positions.

    Returns:
        The last of the positions by address.
    """
    taken: dict[str, int] = {}
    for part in slices(sorted(counts), ADDRESSES_PER_QUERY):
        taken |= _raise(database, [(address, counts[address], 0) for address in part])
    return taken


def read(database: str, addresses: Collection[str]) -> dict[str, StreamPosition]:
    """Read the positions of these topics."""
    positions = dict.fromkeys(addresses, StreamPosition(epoch := read_epoch(database), 0))
    listed = [*positions]
    for start in range(0, len(listed), ADDRESSES_PER_QUERY):
        rows = TopicPosition.objects.using(database).filter(address__in=listed[start : start + ADDRESSES_PER_QUERY])
        for address, position, access in rows.values_list("address", "position", "access_version"):
            positions[address] = StreamPosition(epoch, position, access)
    return positions


def read_changed(database: str, since_ms: int) -> dict[str, StreamPosition]:
    """Read the positions that changed since a time of the database's clock, by address."""
    epoch = read_epoch(database)
    rows = TopicPosition.objects.using(database).filter(changed_ms__gte=since_ms)
    found = rows.values_list("address", "position", "access_version")
    return {address: StreamPosition(epoch, position, access) for address, position, access in found}


def read_clock(database: str) -> int:
    """The time of the database's clock, in milliseconds."""
    with connections[database].cursor() as cursor:
        cursor.execute(f"SELECT {_now_ms(database)}")
        now_ms: int = cursor.fetchone()[0]
        return now_ms


def read_epoch(database: str) -> str:
    """The epoch of all positions of this database."""
    return TopicEpoch.objects.using(database).values_list("epoch", flat=True).first() or NO_EPOCH


def renew_epoch(database: str) -> None:
    """Give all positions of this database a new epoch."""
    TopicEpoch.objects.using(database).update_or_create(pk=1, defaults={"epoch": secrets.token_hex(8)})


def _raise(database: str, steps: Sequence[tuple[str, int, int]]) -> dict[str, int]:
    """Raise positions and access versions: (address, by how much, by how much)."""
    now_ms = _now_ms(database)
    statement = (
        f"INSERT INTO {TABLE} (address, position, access_version, changed_ms) "  # noqa: S608 - names of our own
        f"VALUES {', '.join([f'(%s, %s, %s, {now_ms})'] * len(steps))} "
        f"ON CONFLICT (address) DO UPDATE SET position = {TABLE}.position + excluded.position, "
        f"access_version = {TABLE}.access_version + excluded.access_version, changed_ms = {now_ms} "
        "RETURNING address, position"
    )
    with connections[database].cursor() as cursor:
        cursor.execute(statement, [value for step in steps for value in step])
        return dict(cursor.fetchall())


def _now_ms(database: str) -> str:
    return NOW_MS[connections[database].vendor]
