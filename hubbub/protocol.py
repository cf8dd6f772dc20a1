"""The envelope of the wire protocol: typed commands from text, text from typed frames, error and close codes.

Knows neither Django nor any app. Apps subclass `Command`, `Ok` and `Event`, each with its own `tag`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec

__all__ = [
    "VERSION",
    "CloseCode",
    "Command",
    "ErrorCode",
    "Event",
    "Ok",
    "Person",
    "Ping",
    "Presence",
    "Refused",
]

VERSION = 2

# Allowed values of `ref`. JavaScript's numbers are exact up to 2**53.
Ref = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | Annotated[str, msgspec.Meta(max_length=64)]


class ErrorCode:
    """Codes of `error` answers."""

    UNAUTHORIZED = "unauthorized"
    INVALID = "invalid"
    TOO_LONG = "too_long"
    NOT_FOUND = "not_found"  # also for objects that the user may not know of
    FORBIDDEN = "forbidden"  # the object is readable, the command is not allowed
    CONFLICT = "conflict"
    TOO_MANY = "too_many"  # the socket has joined as many topics as it may
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"  # unknown whether it was carried out: try again with the same id
    INTERNAL = "internal"


class CloseCode:
    """Close codes. 40xx: do not reconnect automatically. Any other unrequested close: reconnect with back-off."""

    FRAME_TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    UNAUTHORIZED = 4001
    AUTH_TIMEOUT = 4002
    SESSION_ENDED = 4003
    REMOVED = 4004
    FORBIDDEN = 4005
    REFUSED = 4006
    ABUSE = 4008
    TOO_MANY = 4009
    SLOW_READER = 4101
    RATE_LIMITED = 4102
    OVERLOADED = 4103


class Refused(Exception):
    """Refuses a command: becomes one `error` answer, and the socket stays open."""

    def __init__(self, code: str, detail: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.retry_after_ms = retry_after_ms


# By error code: how a socket closes if `opened` is refused, which decides whether the client reconnects. Else: REFUSED.
CLOSE_CODES = {
    ErrorCode.UNAUTHORIZED: CloseCode.SESSION_ENDED,
    ErrorCode.FORBIDDEN: CloseCode.FORBIDDEN,
    ErrorCode.RATE_LIMITED: CloseCode.RATE_LIMITED,
    ErrorCode.UNAVAILABLE: CloseCode.OVERLOADED,
    ErrorCode.INTERNAL: CloseCode.INTERNAL,
}


class Malformed(Refused):
    """A frame that is not a valid command. Too many of them close the socket."""

    def __init__(self, detail: str, ref: Any = None) -> None:
        super().__init__(ErrorCode.INVALID, detail)
        self.ref = ref


class Command(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A frame from the client, answered exactly once, with its `ref`."""

    ref: Ref


class Ping(Command, tag="ping", frozen=True):
    """Answered with `pong` at once, before commands in flight."""


class Auth(msgspec.Struct, tag_field="type", tag="auth", forbid_unknown_fields=True, frozen=True):
    """The first frame of a client without a session cookie. It has no `ref`; the answer is `hello`."""

    token: str


class Ok(msgspec.Struct, tag_field="type", tag="ok", kw_only=True, frozen=True):
    """The answer of success. Apps subclass it with `tag="ok"` and fields; `ref` is set when it is sent."""

    ref: Ref | None = None


class Error(msgspec.Struct, tag_field="type", tag="error", frozen=True, kw_only=True, omit_defaults=True):
    """The answer of failure; without `ref` if the frame had no readable one."""

    ref: Ref | None = None
    code: str
    detail: str
    retry_after_ms: int | None = None


class Event(msgspec.Struct, tag_field="type", kw_only=True, frozen=True):
    """A frame from the server that is not an answer."""


class Pong(msgspec.Struct, tag_field="type", tag="pong", frozen=True):
    ref: Ref


class AuthRequired(Event, tag="auth.required", kw_only=True, frozen=True):
    within_ms: int


# What others see of a user beside the id: the name, or the name, the picture and the status line.
Card = str | tuple[str, str, str]


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user, as others see them; `id` is null for a deleted account. Without picture or status: none, or not told."""

    id: str | None
    name: str
    picture: str = ""
    status: str = ""

    @property
    def card(self) -> Card:
        """Without the id."""
        return (self.name, self.picture, self.status) if self.picture or self.status else self.name

    @classmethod
    def of(cls, user_id: str | None, card: Card) -> "Person":
        """The user with this id and card."""
        return cls(user_id, card) if isinstance(card, str) else cls(user_id, *card)


class Presence(msgspec.Struct, frozen=True):
    """The users present. `users` is empty if they are too many to be named."""

    count: int
    users: list[Person]


class Limits(msgspec.Struct, frozen=True):
    frame_bytes: int


class Hello(Event, tag="hello", kw_only=True, frozen=True):
    """The first frame of an admitted socket."""

    protocol: int = VERSION
    features: tuple[str, ...] = ()
    connection: str
    user: Person
    state: str
    heartbeat_ms: int
    limits: Limits
    server_time: datetime


class ServiceChanged(Event, tag="service.changed", kw_only=True, frozen=True):
    """`degraded`: Redis is away, live updates are slow; `ok`: it is back."""

    state: str


class PersonChanged(Event, tag="person.changed", kw_only=True, frozen=True):
    """What others see of a user from now on, also beside content already shown."""

    user: Person


class _Envelope(msgspec.Struct):
    ref: Ref | None = None


_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_auth_decoder = msgspec.json.Decoder(Auth)

# Called with each value of a feature before it is encoded.
_prepare: Callable[[Any], Any] | None = None


def encode(frame: msgspec.Struct) -> str:
    """Encode one frame."""
    return _encoder.encode(frame).decode()


def prepare_by(prepare: Callable[[Any], Any] | None) -> None:
    """Let `to_json` encode what `prepare` makes of a value; None: the value itself. See `process.times`."""
    global _prepare
    _prepare = prepare


def to_json(value: Any, *, is_sorted: bool = False) -> bytes:
    """Encode a value of a feature. `is_sorted`: equal values have equal bytes."""
    if _prepare is not None:
        value = _prepare(value)
    return (_sorted_encoder if is_sorted else _encoder).encode(value)


def from_json(text: str | bytes | msgspec.Raw) -> Any:
    """Decode a value of a feature."""
    return msgspec.json.decode(text)


def answer_text(ref: Any, answer: Ok) -> str:
    """Encode the answer to the command with this `ref`."""
    return encode(msgspec.structs.replace(answer, ref=ref))


def error_text(ref: Any, refused: Refused) -> str:
    """Encode the error answer to the command with this `ref`; None: to a frame without a readable one."""
    return encode(Error(ref=ref, code=refused.code, detail=refused.detail, retry_after_ms=refused.retry_after_ms))


def decoder_of(commands: Any) -> "msgspec.json.Decoder[Any]":
    """Make the decoder that `parse` needs for a tagged union of commands. Once per endpoint."""
    return msgspec.json.Decoder(commands)


def parse(decoder: "msgspec.json.Decoder[Any]", text: str) -> Any:
    """Decode `text`, one JSON object, to a command. `decoder`: from `decoder_of`. Raises Malformed."""
    try:
        return decoder.decode(text)
    # RecursionError: deeply nested brackets. UnicodeEncodeError: a lone surrogate in the text.
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
        detail = str(error) if isinstance(error, msgspec.ValidationError) else "not a JSON object of this protocol"
        raise Malformed(detail, _ref_of(text)) from None


def parse_auth(text: str) -> Auth:
    """Decode the first frame of a socket without a session. Raises Malformed."""
    return parse(_auth_decoder, text)  # type: ignore[no-any-return]


def read_frame(text: str | bytes) -> dict[str, Any]:
    """Decode a frame as a client does: any JSON object."""
    return msgspec.json.decode(text, type=dict[str, Any])


def _ref_of(text: str) -> Any:
    try:
        return _envelope_decoder.decode(text).ref
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
