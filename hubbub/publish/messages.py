"""What processes send one another over the channel layer: typed, bounded, checked once per process. A leaf.

Redis may hold anything: another release's messages, another program's, an attacker's. A message that does not fit is
not decoded, so nothing behind `decode` has to doubt a field.
"""

from typing import Annotated, Any, Literal

import msgspec

# A frame of this many characters would close every socket that it is for.
MAX_TEXT_CHARS = 1 << 20
# Of a whole message: a hundred of the longest posts, several times over.
MAX_PAYLOAD_BYTES = 16 << 20

# Of why a message was dropped, which may repeat what is in it.
REASON_CHARS = 200

Name = Annotated[str, msgspec.Meta(max_length=99)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
# The database's largest integer is the last position.
Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
UserId = str


class _Message(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    group: Name


class OneFrame(_Message, tag="hubbub.frame", frozen=True):
    """One frame for every member of the group; see `publish` for position and version."""

    text: Text
    position: Position | None = None
    version: Version | None = None


class SeveralFrames(_Message, tag="hubbub.frames", frozen=True):
    """Frames of an ordered group, each with its position."""

    frames: list[tuple[Position, Text]]


class LastFrame(_Message, tag="hubbub.end", frozen=True):
    """The last frame that these users, or all, get of the group."""

    text: Text
    evicted: list[UserId] | Literal["all"]


class Recheck(_Message, tag="hubbub.recheck", frozen=True):
    """Ask the database about these users, or all: their sockets, or those of them who are members of the group."""

    recheck: list[UserId] | Literal["all"]


Message = OneFrame | SeveralFrames | LastFrame | Recheck

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class Undecodable(ValueError):
    """What came is no message of ours."""


def encode(message: Message) -> bytes:
    """MessagePack, as channels_redis writes it. Raises ValueError for what no process would take."""
    payload = _encoder.encode(message)
    if len(payload) > MAX_TEXT_CHARS:  # Seldom: then it is worth a look.
        decode(payload)
    return payload


def to_dict(message: Message) -> dict[str, Any]:
    """The same message for a layer that takes only dictionaries."""
    return msgspec.to_builtins(message)  # type: ignore[no-any-return]


def decode(payload: bytes | dict[str, Any]) -> Message:
    """The message that came: bytes from Redis, or what another layer has decoded. Raises Undecodable."""
    try:
        if isinstance(payload, bytes):
            if len(payload) > MAX_PAYLOAD_BYTES:
                raise Undecodable(f"{len(payload)} bytes")
            message: Message = _decoder.decode(payload)
            return message
        return msgspec.convert(payload, Message)  # type: ignore[no-any-return]
    # RecursionError: lists in lists, a hundred thousand deep.
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as error:
        raise Undecodable(ascii(str(error)[:REASON_CHARS])) from None
