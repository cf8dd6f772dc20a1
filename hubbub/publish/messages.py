"""Messages between processes over the channel layer: typed, bounded, validated once per process. A leaf.

Messages in Redis may come from another release, another program or an attacker. `decode` rejects malformed ones, so
later code can trust every field.
"""

from typing import Annotated, Any, Literal

import msgspec

# A longer frame would close every socket that receives it.
MAX_TEXT_CHARS = 1 << 20
# Of a message: several hundred of the longest posts.
MAX_PAYLOAD_BYTES = 16 << 20

# Of the reason in the log, which may quote the message.
REASON_CHARS = 200

# Of a group: the address of a topic is longer than a name of the layer (`group_names`).
Name = Annotated[str, msgspec.Meta(max_length=210)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
# Up to the largest integer of a database.
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
    """Evicts these users, or all, from the group; `text` is their last frame of it."""

    text: Text
    evicted: list[UserId] | Literal["all"]


class Recheck(_Message, tag="hubbub.recheck", frozen=True):
    """Requests a re-check of these users, or all: of their sockets, or of their membership in the group."""

    recheck: list[UserId] | Literal["all"]


class Reached(_Message, tag="hubbub.reached", frozen=True):
    """The group has a durable change at this position; each process reads it from the record."""

    position: Position


class Listed(_Message, tag="hubbub.listed", frozen=True):
    """The lists of these users changed, or those users that list these keys: each process reads them."""

    users: list[UserId] = []
    keys: list[Name] = []


class Told(_Message, tag="hubbub.told", frozen=True):
    """A frame that is dropped where a socket cannot take it at once."""

    text: Text


class StreamCommand(_Message, tag="hubbub.stream", frozen=True):
    """A command for a stream over HTTP that another process may hold.

    Attributes:
        connection: the name of the stream.
        user_id: of the request; the stream must be of the same user.
        text: the command, as on the wire.
    """

    connection: Name
    user_id: UserId
    text: Text


Message = OneFrame | SeveralFrames | LastFrame | Recheck | Reached | Listed | Told | StreamCommand

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class Undecodable(ValueError):
    """Not a message of this protocol."""


def encode(message: Message) -> bytes:
    """Encode as MessagePack, as channels_redis does. Raises ValueError for a message that no process would accept."""
    payload = _encoder.encode(message)
    if len(payload) > MAX_TEXT_CHARS:  # Rare, so the check may be slow.
        decode(payload)
    return payload


def to_dict(message: Message) -> dict[str, Any]:
    """Convert a message for a layer that takes only dictionaries."""
    return msgspec.to_builtins(message)  # type: ignore[no-any-return]


def decode(payload: bytes | dict[str, Any]) -> Message:
    """Validate a message: bytes from Redis, or a dictionary of another layer. Raises Undecodable."""
    try:
        if isinstance(payload, bytes):
            if len(payload) > MAX_PAYLOAD_BYTES:
                raise Undecodable(f"{len(payload)} bytes")
            message: Message = _decoder.decode(payload)
            return message
        return msgspec.convert(payload, Message)  # type: ignore[no-any-return]
    # RecursionError: deeply nested lists.
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as error:
        raise Undecodable(ascii(str(error)[:REASON_CHARS])) from None
