"""docs/protocol.md and the code have the same commands, answers, events, objects and codes."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

import chat.protocol
import hubbub.protocol
import monitor.protocol
from chat.protocol import COMMANDS, Changed, History, Joined, Posted
from hubbub.protocol import Auth, CloseCode, Command, Error, ErrorCode, Event, Ok, Pong
from hubbub.topics import frames
from tests.support.documents import ROOT, Fields, names_in, table

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
# The `ok` of each command; `ping` and `auth` have other answers.
ANSWERS: dict[str, type[Ok]] = {
    "room.join": Joined,
    "room.leave": Ok,
    "room.history": History,
    "message.post": Posted,
    "message.edit": Changed,
    "message.delete": Changed,
}


def documented(heading: str, column: int = 1) -> dict[str, Fields]:
    rows = table(PROTOCOL, heading)
    documented_names = {row[0].strip("`"): names_in(row[column]) for row in rows}
    assert len(documented_names) == len(rows), f"a {heading} stands there twice"
    return documented_names


def structs(module: Any) -> Iterator[type[msgspec.Struct]]:
    """The public frames and objects that a protocol module defines, without the bases of others."""
    for name, value in vars(module).items():
        is_ours = isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
        if is_ours and issubclass(value, msgspec.Struct) and value is not Command and not is_base_event(value):
            yield value


def is_base_event(struct: type[msgspec.Struct]) -> bool:
    return issubclass(struct, Event) and bool(struct.__subclasses__())


def fields_of(struct: type[msgspec.Struct], *, without: str = "") -> Fields:
    """{field: whether it may be omitted}: a field with a default, unless it is always written."""
    may_omit = issubclass(struct, Command) or struct.__struct_config__.omit_defaults
    field_names = {field.encode_name: may_omit and not field.required for field in msgspec.structs.fields(struct)}
    field_names.pop(without, None)
    return field_names


ALL = [struct for module in (hubbub.protocol, chat.protocol, monitor.protocol) for struct in structs(module)]


def test_every_command_is_documented_and_no_other() -> None:
    commands = [struct for struct in ALL if issubclass(struct, Command)]
    assert set(commands) == set(get_args(COMMANDS))
    expected = {str(command.__struct_config__.tag): fields_of(command, without="ref") for command in commands}
    assert documented("command") == {**expected, "auth": fields_of(Auth)}


def test_every_answer_is_documented_and_no_other() -> None:
    answers = {command: fields_of(answer, without="ref") for command, answer in ANSWERS.items()}
    written = {command: given for command, given in documented("command", 2).items() if command in ANSWERS}
    assert written == answers
    assert {struct for struct in ALL if issubclass(struct, Ok)} == {*ANSWERS.values()}
    # `Ok.ref` has a default only until the command's own is filled in: it is always sent.
    assert documented("answer") == {"ok": {"ref": False}, "error": fields_of(Error), "pong": fields_of(Pong)}


def test_every_event_is_documented_and_no_other() -> None:
    events = {str(struct.__struct_config__.tag): fields_of(struct) for struct in ALL if issubclass(struct, Event)}
    assert documented("event") == events


def test_every_object_is_documented_and_no_other() -> None:
    objects = [struct for struct in ALL if not issubclass(struct, Command | Ok | Event | Auth | Error | Pong)]
    expected = {}
    for struct in objects:
        kind = {struct.__struct_config__.tag_field: False} if struct.__struct_config__.tag_field else {}
        expected[re.sub(r"(?<=[a-z])(?=[A-Z])", " ", struct.__name__).lower()] = kind | fields_of(struct)
    assert documented("object") == expected


def test_every_frame_of_topics_is_documented_and_no_other() -> None:
    own = [frame for frame in structs(frames) if frame.__struct_config__.tag is not None]
    commands = {str(frame.__struct_config__.tag): frame for frame in own if issubclass(frame, Command)}
    events = {str(frame.__struct_config__.tag): frame for frame in own if not issubclass(frame, Command | Ok)}
    other = "any other `type"  # Without the mark at its end.
    written = documented("topic command")
    assert written.pop(other) == {"topic": False, "id": True}
    assert written == {name: fields_of(frame, without="ref") for name, frame in commands.items()}
    answers = documented("topic command", 2)
    assert answers.pop(other) == fields_of(frames.Done, without="ref")
    assert answers == {"join": fields_of(frames.Joined, without="ref"), "leave": {"topic": False}}
    written = documented("topic event")
    assert written.pop(other) == {"topic": False, "position": True}
    assert written == {name: fields_of(frame) for name, frame in events.items()}


@pytest.mark.parametrize(("heading", "codes"), [("error code", ErrorCode), ("close code", CloseCode)])
def test_every_code_is_documented_and_no_other(heading: str, codes: type) -> None:
    written = [row[0].strip("`") for row in table(PROTOCOL, heading)]
    assert written == [str(value) for name, value in vars(codes).items() if name.isupper()]


def test_codes_that_are_said_to_be_reserved_are_not_sent() -> None:
    sources = "".join(path.read_text() for app in ("hubbub", "chat", "monitor") for path in (ROOT / app).rglob("*.py"))
    for heading, codes in (("error code", ErrorCode), ("close code", CloseCode)):
        names = {str(value): name for name, value in vars(codes).items() if name.isupper()}
        said = {row[0].strip("`") for row in table(PROTOCOL, heading) if "reserved" in row[1]}
        unused = {value for value, name in names.items() if f"{codes.__name__}.{name}" not in sources}
        assert said == unused
