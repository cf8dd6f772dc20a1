"""The one checker: compares what every client has, and was told, with the database. For tests and `manage.py chaos`.

It asks the database past the application, and past Django: those are what it checks.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import dj_database_url

from chaos.log import Log, Sent
from chaos.view import Breach, Frame, Kind, View

READ_ROOM = "SELECT id, epoch, position, changed_position FROM chat_room WHERE slug = %s"
READ_MESSAGES = """
    SELECT seq, client_id, body, deleted_at IS NOT NULL, posted_position, position
    FROM chat_message WHERE room_id = %s ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A message as the database has it."""

    seq: int
    id: str
    body: str
    deleted: bool
    posted_position: int
    position: int


@dataclass(frozen=True, slots=True)
class Record:
    """A room as the database has it."""

    epoch: str
    position: int
    changed_position: int
    rows: Sequence[Row]


@dataclass(slots=True)
class Report:
    """What was found. `delivered` counts the messages that clients have at the end, each once per client."""

    breaches: list[Breach] = field(default_factory=list)
    acknowledged: int = 0
    unanswered: int = 0
    saved: int = 0
    delivered: int = 0
    recoveries: list[float] = field(default_factory=list)

    @property
    def is_consistent(self) -> bool:
        return not self.breaches

    def of(self, kind: Kind) -> list[str]:
        """What of a kind was found: `lost`, `duplicated`, `disordered`, `invented`."""
        return [one.text for one in self.breaches if one.kind == kind]

    def add(self, other: "Report") -> None:
        self.breaches += other.breaches
        self.acknowledged += other.acknowledged
        self.unanswered += other.unanswered
        self.saved += other.saved
        self.delivered += other.delivered
        self.recoveries += other.recoveries

    def __str__(self) -> str:
        kinds = Counter(one.kind for one in self.breaches)
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("lost", "duplicated", "disordered", "invented"))
        head = f"{self.acknowledged} acknowledged, {self.saved} saved, {self.delivered} delivered: {counts}"
        return "\n".join([head, *(f"  {one.kind}: {one.text}" for one in self.breaches)])


def read_record(database_url: str, slug: str) -> Record:
    """The room, by a connection of its own to the database of the site that is checked."""
    database: dict[str, Any] = dict(dj_database_url.parse(database_url))
    is_sqlite = database["ENGINE"].endswith("sqlite3")
    connection: Any
    if is_sqlite:
        connection = sqlite3.connect(database["NAME"])
    else:
        import psycopg  # Sites on SQLite need not have it.

        connection = psycopg.connect(database_url)
    with closing(connection):
        cursor = connection.cursor()
        mark = "?" if is_sqlite else "%s"
        cursor.execute(READ_ROOM.replace("%s", mark), [slug])
        room_id, epoch, position, changed_position = cursor.fetchone()
        cursor.execute(READ_MESSAGES.replace("%s", mark), [room_id])
        rows = [
            Row(seq, str(UUID(str(client_id))), body, bool(deleted), posted, last)
            for seq, client_id, body, deleted, posted, last in cursor.fetchall()
        ]
    return Record(epoch, position, changed_position, rows)


def check(record: Record, logs: Iterable[Log], *, are_all_senders: bool = True) -> Report:
    """Whether every acknowledged message is in the database exactly once, and every client has the room as it is there.

    For clients of one room that are joined, have come up to the record's position and send nothing more.
    `are_all_senders`: nobody else has written to the room.
    """
    logs = list(logs)
    report = Report(saved=len(record.rows))
    _check_rows(report, record)
    sent = [one for log in logs for one in log.sent]
    _check_answers(report, record, sent, are_all_senders=are_all_senders)
    for log in logs:
        report.breaches += [Breach(one.kind, f"{log.name}: {one.text}") for one in [*log.breaches, *log.view.breaches]]
        report.breaches += [Breach(kind, f"{log.name}: {text}") for kind, text in _differences(log.view, record)]
        report.delivered += len(log.view.messages)
        report.recoveries += [one.seconds for one in log.recoveries]
    return report


def _check_rows(report: Report, record: Record) -> None:
    for name, values in (
        ("seq", [row.seq for row in record.rows]),
        ("id", [row.id for row in record.rows]),
        ("position", [row.position for row in record.rows]),
    ):
        for value in _repeated(values):
            report.breaches.append(Breach("duplicated", f"the database has {name} {value} twice"))
    # One hole would be a message that no reader could tell from one that is still to come.
    if [row.seq for row in record.rows] != list(range(1, len(record.rows) + 1)):
        report.breaches.append(Breach("lost", "the seq numbers in the database have a gap"))


def _check_answers(report: Report, record: Record, sent: Sequence[Sent], *, are_all_senders: bool) -> None:
    rows = {row.id: row for row in record.rows}
    by_seq = {row.seq: row for row in record.rows}
    bodies: dict[int, set[str]] = {}
    for one in sent:
        if one.kind == "message.post" and one.id in rows:
            bodies.setdefault(rows[one.id].seq, set()).add(one.body)
        elif one.kind == "message.edit":
            bodies.setdefault(one.seq, set()).add(one.body)
    for one in sent:
        report.unanswered += one.answered_at is None
        if (ok := one.ok) is None:
            continue
        report.acknowledged += 1
        row = rows.get(one.id) if one.kind == "message.post" else by_seq.get(one.seq)
        if row is None:
            report.breaches.append(Breach("lost", f"{_name(one)} was acknowledged and is not in the database"))
        elif one.kind == "message.post" and (ok["seq"], ok["position"]) != (row.seq, row.posted_position):
            report.breaches.append(
                Breach("duplicated", f"{_name(one)} was acknowledged as {ok['seq']}, and {row.seq} is in the database")
            )
        elif ok["position"] > row.position:
            report.breaches.append(Breach("lost", f"{_name(one)} was acknowledged, and its change is missing"))
        elif one.kind == "message.delete" and not row.deleted:
            report.breaches.append(Breach("lost", f"{_name(one)} was acknowledged, and the message is not deleted"))
    if not are_all_senders:
        return
    posted = {one.id for one in sent}
    for row in record.rows:
        if row.id not in posted:
            report.breaches.append(Breach("invented", f"message {row.seq} is in the database, but no client sent it"))
        elif not row.deleted and row.body not in bodies.get(row.seq, ()):
            report.breaches.append(Breach("invented", f"message {row.seq} has a body that no client sent"))


def _differences(view: View, record: Record) -> list[tuple[Kind, str]]:
    """What one client has otherwise than the database."""
    found: list[tuple[Kind, str]] = []
    if not view.is_live:
        return [("lost", "did not rejoin the room")]
    if view.epoch != record.epoch or view.position is None or view.position < record.position:
        found.append(("lost", f"is at position {view.position} of {record.position}"))
    elif view.position > record.position:
        found.append(("invented", f"is at position {view.position}, beyond {record.position}"))
    rows = {row.seq: row for row in record.rows}
    for seq, row in rows.items():
        if seq >= view.first_seq and seq not in view.messages:
            found.append(("lost", f"lacks message {seq}"))
        elif row.position in view.skipped:
            found.append(("lost", f"never received position {row.position}, the last change of message {seq}"))
    if record.changed_position in view.skipped:
        found.append(("lost", f"never received position {record.changed_position}, the last change of the room"))
    for seq, message in view.messages.items():
        if seq not in rows or rows[seq].id != message["id"]:
            found.append(("invented", f"has a message {seq} that is not in the database"))
        elif not _is_same(message, rows[seq]):
            found.append(("lost", f"lacks the last change of message {seq}"))
    for id_ in _repeated(message["id"] for message in view.messages.values()):
        found.append(("duplicated", f"has message {id_} twice"))
    for page in view.resumed:
        # Of those that have changed again since, their place at that time is not known any more.
        positions = [
            rows[one["seq"]].position for one in page if one["seq"] in rows and _is_same(one, rows[one["seq"]])
        ]
        if positions != sorted(positions):
            found.append(("disordered", "received resumed messages out of order"))
    return found


def _is_same(message: Frame, row: Row) -> bool:
    return (message["body"], message["deleted"]) == (row.body, row.deleted)


def _name(sent: Sent) -> str:
    return f"{sent.kind} {sent.id or sent.seq}"


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]
