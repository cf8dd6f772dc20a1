"""docs/protocol.md and the code have the same commands, answers, events, objects and codes."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest

import chat.protocol
import chat.room_protocol
import hubbub.protocol
import monitor.protocol
from chat.protocol import Changed, History, MessagePost, OwnState, Posted, ReadReport, ReadState, UnreadMark
from chat.room_protocol import Member, MembersPage, RoomMade, RoomsPage
from chat.topics import LobbyTopic, RoomTopic
from hubbub import Topic
from hubbub.protocol import Auth, CloseCode, Command, Error, ErrorCode, Event, Ok, Pong
from hubbub.topics import frames
from tests.support.documents import ROOT, Fields, names_in, table

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
ANY_OTHER = "any other `type"  # Without the mark at its end.
# The results of a room's commands.
RESULTS = {"message.post": Posted, "message.edit": Changed, "message.delete": Changed, "history": History}
RESULTS |= {"message.restore": Changed, "room.typing": None}
RESULTS |= {"room.read": ReadState, "room.unread": ReadState, "room.mute": OwnState, "room.favourite": OwnState}
RESULTS |= {"room.change": Changed, "room.leave": None, "room.return": None, "room.members": MembersPage}
RESULTS |= {"member.invite": Member, "member.remove": None, "member.role": Member}
LOBBY_RESULTS = {"room.create": RoomMade, "rooms.browse": RoomsPage}


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


MODULES = (hubbub.protocol, frames, chat.protocol, chat.room_protocol, monitor.protocol)
ALL = [struct for module in MODULES for struct in structs(module)]
EVENTS = [
    struct
    for struct in ALL
    if struct.__struct_config__.tag is not None and not issubclass(struct, Command | Ok | Auth | Error | Pong)
]


def by_tag(given: Iterable[type[msgspec.Struct]], *, without: str = "") -> dict[str, Fields]:
    return {str(struct.__struct_config__.tag): fields_of(struct, without=without) for struct in given}


def test_every_command_is_documented_and_no_other() -> None:
    written = documented("command")
    assert written.pop(ANY_OTHER) == {"topic": False, "id": True}
    commands = [struct for struct in ALL if issubclass(struct, Command)]
    assert written == {**by_tag(commands, without="ref"), "auth": fields_of(Auth)}


def test_every_answer_is_documented_and_no_other() -> None:
    written = documented("command", 2)
    assert written[ANY_OTHER] == fields_of(frames.Done, without="ref")
    assert (written["join"], written["leave"]) == (fields_of(frames.Joined, without="ref"), {"topic": False})
    assert {struct for struct in ALL if issubclass(struct, Ok)} == {Ok, frames.Joined, frames.Done}
    # `Ok.ref` has a default only until the command's own is filled in: it is always sent.
    assert documented("answer") == {"ok": {"ref": False}, "error": fields_of(Error), "pong": fields_of(Pong)}


@pytest.mark.parametrize(
    ("topic", "heading", "results"),
    [(RoomTopic, "chat command", RESULTS), (LobbyTopic, "lobby command", LOBBY_RESULTS)],
)
def test_every_command_of_a_room_is_documented_and_no_other(
    topic: type[Topic], heading: str, results: dict[str, Any]
) -> None:
    expected = {}
    for spec in topic.commands.values():
        fields = {field.encode_name: not field.required for field in msgspec.structs.fields(spec.arguments)}
        expected[spec.name] = {name: fields[name] for name in (*(["id"] if spec.once else []), *spec.argument_names)}
    assert documented(heading) == expected
    assert documented(heading, 2) == {name: fields_of(result) if result else {} for name, result in results.items()}
    assert results.keys() == expected.keys()


def test_every_event_is_documented_and_no_other() -> None:
    written = documented("event")
    assert written.pop(ANY_OTHER) == {"topic": False, "position": True}
    of_rooms = [event for event in EVENTS if event.__module__.startswith("chat.")]
    assert documented("chat event") == by_tag(of_rooms)
    assert written == by_tag(event for event in EVENTS if event not in of_rooms)


def test_every_object_is_documented_and_no_other() -> None:
    others = {*EVENTS, *(RESULTS | LOBBY_RESULTS).values(), MessagePost, ReadReport, UnreadMark, frames.Envelope}
    others -= {OwnState, Member}
    objects = [
        struct for struct in ALL if not issubclass(struct, Command | Ok | Auth | Error | Pong) and struct not in others
    ]
    assert documented("object") == {
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", struct.__name__).lower(): fields_of(struct) for struct in objects
    }


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
