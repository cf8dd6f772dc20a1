"""A small room as recorded in the database, and the log of a client that received all of it."""

from typing import Any

from chaos.checking import Record, Row
from chaos.log import Answer, Log, Sent

EPOCH = "e1"


def state(seq: int, body: str = "", *, deleted: bool = False) -> dict[str, Any]:
    body = "" if deleted else body or f"body {seq}"
    return {"seq": seq, "id": f"id-{seq}", "body": body, "deleted": deleted, "edited_at": None}


def event(position: int, message: dict[str, Any], kind: str = "message.posted") -> dict[str, Any]:
    return {"type": kind, "room": "lounge", "position": position, "message": message}


def answer(position: int, messages: list[dict[str, Any]], *, complete: bool = False, more: bool = False) -> Any:
    return {
        "type": "ok",
        "epoch": EPOCH,
        "position": position,
        "complete": complete,
        "messages": messages,
        "more": more,
    }


def record(*rows: Row, position: int = 0, changed_position: int = 0) -> Record:
    position = position or max([row.position for row in rows], default=0)
    return Record(EPOCH, position, changed_position, rows)


def row(seq: int, body: str = "", *, position: int = 0, deleted: bool = False) -> Row:
    return Row(seq, f"id-{seq}", "" if deleted else body or f"body {seq}", deleted, seq, position or seq)


def posted(seq: int, position: int = 0) -> Sent:
    """An acknowledged post."""
    ok = {"type": "ok", "seq": seq, "position": position or seq}
    return Sent("message.post", 0.0, id=f"id-{seq}", body=f"body {seq}", answers=[Answer(0.1, ok)], answered_at=0.1)


def changed(kind: str, seq: int, position: int, body: str = "") -> Sent:
    ok = {"type": "ok", "position": position}
    return Sent(kind, 0.0, seq=seq, body=body, answers=[Answer(0.1, ok)], answered_at=0.1)


def log(*events: dict[str, Any], sent: list[Sent] | None = None) -> Log:
    """The log of a client that joined the empty room and then received these events."""
    new = Log("reader", sent=sent or [])
    new.view.joined(answer(0, []))
    for each in events:
        new.view.take(each)
    return new
