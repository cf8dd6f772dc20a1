"""The checker: compares the messages and answers of every client with the database. For tests and `manage.py chaos`.

It reads the database without the application and without Django, which are under test.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import dj_database_url

from chaos.log import Log, Sent
from chaos.room_view import RoomView
from chaos.view import Breach, Frame, Kind, repeated

READ_ROOM = "SELECT id, epoch, position, changed_position FROM chat_room WHERE slug = %s"
READ_MESSAGES = """
    SELECT seq, client_id, body, deleted_at IS NOT NULL, posted_position, position
    FROM chat_message WHERE room_id = %s ORDER BY seq
"""

Difference = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A message in the database."""

    seq: int
    id: str
    body: str
    deleted: bool
    posted_position: int
    position: int


@dataclass(frozen=True, slots=True)
class Record:
    """A room in the database."""

    epoch: str
    position: int
    changed_position: int
    rows: Sequence[Row]


@dataclass(slots=True)
class Report:
    """The result. `delivered` counts the messages that clients have at the end, once per client."""

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
        """The breaches of a kind: `lost`, `duplicated`, `disordered` or `invented`."""
        return [breach.text for breach in self.breaches if breach.kind == kind]

    def add(self, other: "Report") -> None:
        self.breaches += other.breaches
        self.acknowledged += other.acknowledged
        self.unanswered += other.unanswered
        self.saved += other.saved
        self.delivered += other.delivered
        self.recoveries += other.recoveries

    def __str__(self) -> str:
        kinds = Counter(breach.kind for breach in self.breaches)
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("lost", "duplicated", "disordered", "invented"))
        head = f"{self.acknowledged} acknowledged, {self.saved} saved, {self.delivered} delivered: {counts}"
        return "\n".join([head, *(f"  {breach.kind}: {breach.text}" for breach in self.breaches)])


def read_record(database_url: str, slug: str) -> Record:
    """Read the room over a separate connection to the database of the checked site."""
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


def check(record: Record, logs: Iterable[Log[RoomView]], *, are_all_senders: bool = True) -> Report:
    """Check that every acknowledged message is in the database once, and that every client matches the database.

    Args:
        record: The room in the database.
        logs: Clients of that room that have joined, have reached the record's position and send nothing more.
        are_all_senders: No other client has written to the room.
    """
    logs = list(logs)
    report = Report(saved=len(record.rows))
    _check_rows(report, record)
    commands = [sent for log in logs for sent in log.sent]
    _check_answers(report, record, commands)
    if are_all_senders:
        _check_origins(report, record, commands)
    for log in logs:
        breaches = [*log.breaches, *log.view.breaches]
        report.breaches += [Breach(breach.kind, f"{log.name}: {breach.text}") for breach in breaches]
        report.breaches += [Breach(kind, f"{log.name}: {text}") for kind, text in _differences(log.view, record)]
        if due := log.handing_out.due:
            report.breaches.append(
                Breach("lost", f"{log.name}: the client has not handed out {len(due)} events: {due[0]} …")
            )
        report.delivered += len(log.view.messages)
        report.recoveries += [recovery.seconds for recovery in log.recoveries]
    return report


def _check_rows(report: Report, record: Record) -> None:
    for name, values in (
        ("seq", [row.seq for row in record.rows]),
        ("id", [row.id for row in record.rows]),
        ("position", [row.position for row in record.rows]),
    ):
        for value in repeated(values):
            report.breaches.append(Breach("duplicated", f"the database has {name} {value} twice"))
    # Readers could not tell a gap from a message that is still to come.
    if [row.seq for row in record.rows] != list(range(1, len(record.rows) + 1)):
        report.breaches.append(Breach("lost", "the seq numbers in the database have a gap"))


def _check_answers(report: Report, record: Record, commands: Sequence[Sent]) -> None:
    """Check that each acknowledged command is in the database as its answer says."""
    rows = {row.id: row for row in record.rows}
    by_seq = {row.seq: row for row in record.rows}
    for sent in commands:
        report.unanswered += sent.answered_at is None
        if sent.ok is not None:
            report.acknowledged += 1
            row = rows.get(sent.id) if sent.kind == "message.post" else by_seq.get(sent.seq)
            report.breaches += _broken_answer(sent, sent.ok, row)


def _broken_answer(sent: Sent, ok: Frame, row: Row | None) -> list[Breach]:
    """The breach of one acknowledged command; empty: the row is as answered."""
    if row is None:
        return [Breach("lost", f"{_name(sent)} was acknowledged and is not in the database")]
    if sent.kind == "message.post" and (ok["seq"], ok["position"]) != (row.seq, row.posted_position):
        text = f"{_name(sent)} was acknowledged as {ok['seq']}, and {row.seq} is in the database"
        return [Breach("duplicated", text)]
    if ok["position"] > row.position:
        return [Breach("lost", f"{_name(sent)} was acknowledged, and its change is missing")]
    if sent.kind == "message.delete" and not row.deleted:
        return [Breach("lost", f"{_name(sent)} was acknowledged, and the message is not deleted")]
    return []


def _check_origins(report: Report, record: Record, commands: Sequence[Sent]) -> None:
    """Check that a client has sent each message and each body of the database."""
    seqs = {row.id: row.seq for row in record.rows}
    bodies: dict[int, set[str]] = {}
    for sent in commands:
        if sent.kind == "message.post" and sent.id in seqs:
            bodies.setdefault(seqs[sent.id], set()).add(sent.body)
        elif sent.kind == "message.edit":
            bodies.setdefault(sent.seq, set()).add(sent.body)
    posted = {sent.id for sent in commands}
    for row in record.rows:
        if row.id not in posted:
            report.breaches.append(Breach("invented", f"message {row.seq} is in the database, but no client sent it"))
        elif not row.deleted and row.body not in bodies.get(row.seq, ()):
            report.breaches.append(Breach("invented", f"message {row.seq} has a body that no client sent"))


def _differences(view: RoomView, record: Record) -> list[Difference]:
    """The differences between one client and the database."""
    if not view.is_live:
        return [("lost", "did not rejoin the room")]
    rows = {row.seq: row for row in record.rows}
    return [
        *_position_differences(view, record),
        *_missing_messages(view, rows),
        *_wrong_messages(view, rows),
        *_resumed_differences(view, rows),
    ]


def _position_differences(view: RoomView, record: Record) -> Iterator[Difference]:
    if view.epoch != record.epoch or view.position is None or view.position < record.position:
        yield "lost", f"is at position {view.position} of {record.position}"
    elif view.position > record.position:
        yield "invented", f"is at position {view.position}, beyond {record.position}"
    if record.changed_position in view.skipped:
        yield "lost", f"never received position {record.changed_position}, the last change of the room"


def _missing_messages(view: RoomView, rows: Mapping[int, Row]) -> Iterator[Difference]:
    for seq, row in rows.items():
        if seq >= view.first_seq and seq not in view.messages:
            yield "lost", f"lacks message {seq}"
        elif row.position in view.skipped:
            yield "lost", f"never received position {row.position}, the last change of message {seq}"


def _wrong_messages(view: RoomView, rows: Mapping[int, Row]) -> Iterator[Difference]:
    for seq, message in view.messages.items():
        if seq not in rows or rows[seq].id != message["id"]:
            yield "invented", f"has a message {seq} that is not in the database"
        elif not _is_same(message, rows[seq]):
            yield "lost", f"lacks the last change of message {seq}"
    for id_ in repeated(message["id"] for message in view.messages.values()):
        yield "duplicated", f"has message {id_} twice"


def _resumed_differences(view: RoomView, rows: Mapping[int, Row]) -> Iterator[Difference]:
    for events in view.resumed:
        messages = [event["message"] for event in events if "message" in event]
        # Messages that changed again since are left out: their position at that time is unknown.
        positions = [
            rows[message["seq"]].position
            for message in messages
            if message["seq"] in rows and _is_same(message, rows[message["seq"]])
        ]
        if positions != sorted(positions):
            yield "disordered", "received resumed messages out of order"


def _is_same(message: Frame, row: Row) -> bool:
    return (message["body"], message["deleted"]) == (row.body, row.deleted)


def _name(sent: Sent) -> str:
    return f"{sent.kind} {sent.id or sent.seq}"
