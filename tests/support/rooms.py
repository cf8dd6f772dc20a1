"""A small room as recorded in the database, and the log of a client that received all of it."""

from typing import Any

from chaos.checking import Record, Row
from chaos.log import Answer, Log, Sent
from chaos.room_view import RoomView

EPOCH = "e1"
TOPIC = "room/lounge"


def state(seq: int, body: str = "", *, deleted: bool = False) -> dict[str, Any]:
    body = "" if deleted else body or f"body {seq}"
    return {"seq": seq, "id": f"id-{seq}", "body": body, "deleted": deleted, "edited_at": None}


def event(position: int, message: dict[str, Any], kind: str = "message.posted") -> dict[str, Any]:
    return {"type": kind, "topic": TOPIC, "position": position, "message": message}


def joined(position: int, messages: list[dict[str, Any]], *, more: bool = False) -> Any:
    """The answer to a join that brings the latest page."""
    page = {"room": {"slug": "lounge"}, "messages": messages, "more": more}
    return {"type": "ok", "topic": TOPIC, "epoch": EPOCH, "position": position, "complete": False, "state": page}


def resumed(position: int, *events: dict[str, Any], **more: Any) -> Any:
    """The answer to a join that resumes."""
    answer = {"type": "ok", "topic": TOPIC, "epoch": EPOCH, "position": position, "complete": True}
    return answer | {"events": list(events)} | more


def record(*rows: Row, position: int = 0, changed_position: int = 0) -> Record:
    position = position or max([row.position for row in rows], default=0)
    return Record(EPOCH, position, changed_position, rows)


def row(seq: int, body: str = "", *, position: int = 0, deleted: bool = False) -> Row:
    return Row(seq, f"id-{seq}", "" if deleted else body or f"body {seq}", deleted, seq, position or seq)


def posted(seq: int, position: int = 0) -> Sent:
    """An acknowledged post."""
    return acknowledged("message.post", {"seq": seq, "position": position or seq}, id=f"id-{seq}", body=f"body {seq}")


def changed(kind: str, seq: int, position: int, body: str = "") -> Sent:
    return acknowledged(kind, {"position": position}, seq=seq, body=body)


def acknowledged(kind: str, result: dict[str, Any], **arguments: Any) -> Sent:
    ok = {"type": "ok", "topic": TOPIC, "result": result}
    return Sent(kind, 0.0, arguments, answers=[Answer(0.1, ok)], answered_at=0.1)


def log(*events: dict[str, Any], sent: list[Sent] | None = None) -> Log[RoomView]:
    """The log of a client that joined the empty room and then received these events."""
    new = Log("reader", RoomView(), sent=sent or [])
    new.view.joined(joined(0, []))
    for each in events:
        new.view.take(each)
    return new
