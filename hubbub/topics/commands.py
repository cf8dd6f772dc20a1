"""`@command`: a method of a topic that clients call, with its arguments checked by their annotations."""

import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, TypeVar

import msgspec

from hubbub.protocol import Ref, decoder_of

F = TypeVar("F", bound=Callable[..., Any])


class Access(Enum):
    """A permission that is no permission of Django."""

    SIGNED_IN = "signed in"
    PUBLIC = "public"
    VIEW = "may see the topic"


SIGNED_IN, PUBLIC, VIEW = Access.SIGNED_IN, Access.PUBLIC, Access.VIEW

# Fields of the envelope, and of joins.
RESERVED = {"ref", "type", "topic", "id", "after", "epoch"}
COMMAND_NAME_CHARS = 60

ClientId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class BadDeclaration(TypeError):
    """A topic or a command is declared in a way that cannot work. Raised at import."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A declared command.

    Attributes:
        method: the function; its first arguments are the topic and the user.
        name: on the wire.
        permission: also needed to run it, beside what is needed to see the topic.
        once: an `id` of the client's has one effect.
        reads: it only reads: read scope, no transaction.
        told: it runs in the event loop, for members only, and may only `tell`.
        arguments, decoder: the struct of its frame: `ref`, `topic`, `id` with `once`, and the arguments by name.
    """

    method: Callable[..., Any]
    name: str
    permission: str | Access
    once: bool = False
    reads: bool = False
    told: bool = False
    arguments: type[msgspec.Struct] = field(default=msgspec.Struct)
    decoder: Any = None
    argument_names: tuple[str, ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether it counts against the limit on writes, and needs the write scope."""
        return not self.reads and not self.told


def command(
    name: str | None = None,
    *,
    permission: str | Access,
    once: bool = False,
    reads: bool = False,
    told: bool = False,
) -> Callable[[F], F]:
    """Declare a method of a topic as a command: `def vote(self, user, option: int)`.

    It runs in one transaction, in which the user, the session and the permissions are checked again. Its result is
    sent as `result` of the `ok`.

    Args:
        name: on the wire; None: the name of the method.
        permission: as in `user.has_perm`, SIGNED_IN, or VIEW: each user who may see the topic may run it.
        once: the client sends an `id`; per user, topic and id there is one effect.
        reads: the command changes nothing: no transaction, the read scope, the limit on reads.
        told: for members of the topic, in the event loop, without thread and database: it may only call `tell`. Its
            `user` is a `Person`, with `id` and `name`. Refused first when the process is busy.

    Raises:
        BadDeclaration: the permission is missing or the name is not usable.
    """
    if callable(name):
        raise BadDeclaration(f"@command on {name.__name__}: name a permission: @command(permission=…)")
    if not (isinstance(permission, Access) or (isinstance(permission, str) and permission.count(".") == 1)):
        raise BadDeclaration(
            f"@command: permission={permission!r} is neither 'app.codename' nor SIGNED_IN, VIEW, PUBLIC"
        )
    if once and reads:
        raise BadDeclaration("@command: a command that only reads needs no `once`")
    if told and (once or reads or isinstance(permission, str)):
        raise BadDeclaration("@command: `told` goes with permission=VIEW alone; it has no database to check others")

    def declare(method: F) -> F:
        method._hubbub_command = CommandSpec(  # type: ignore[attr-defined]
            method, name or method.__name__, permission, once, reads, told
        )
        return method

    return declare


def commands_of(cls: type) -> dict[str, CommandSpec]:
    """The commands of a class by their names on the wire, with their frames.

    Raises:
        BadDeclaration: two of one name, or an argument that cannot be decoded.
    """
    specs: dict[str, CommandSpec] = {}
    for attribute in dir(cls):
        declared = getattr(inspect.getattr_static(cls, attribute, None), "_hubbub_command", None)
        if declared is None:
            continue
        spec = _with_arguments(cls, declared)
        if spec.name in specs:
            raise BadDeclaration(f"{cls.__name__}: two commands are called {spec.name!r}")
        specs[spec.name] = spec
    return specs


def _with_arguments(cls: type, declared: CommandSpec) -> CommandSpec:
    where = f"{cls.__name__}.{declared.method.__name__}"
    if not declared.name.isascii() or not 0 < len(declared.name) <= COMMAND_NAME_CHARS or declared.name in ENGINE_TYPES:
        raise BadDeclaration(f"{where}: {declared.name!r} cannot be the name of a command")
    parameters = [*inspect.signature(declared.method).parameters.values()]
    if [parameter.name for parameter in parameters[:2]] != ["self", "user"]:
        raise BadDeclaration(f"{where}: its first arguments are `self` and `user`")
    try:
        hints = typing.get_type_hints(declared.method, include_extras=True)
    except NameError as error:
        raise BadDeclaration(f"{where}: {error}") from None
    fields: list[Any] = [("ref", Ref), ("topic", str)]
    if declared.once:
        fields.append(("id", ClientId))
    for parameter in parameters[2:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise BadDeclaration(f"{where}: {parameter} cannot be sent by a client")
        if parameter.name in RESERVED:
            raise BadDeclaration(f"{where}: an argument cannot be called {parameter.name!r}")
        if parameter.name not in hints:
            raise BadDeclaration(f"{where}: argument {parameter.name!r} has no annotation")
        hint = hints[parameter.name]
        if problem := _undecodable(hint):
            raise BadDeclaration(f"{where}: argument {parameter.name!r} cannot be decoded: {problem}")
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hint, *default))
    arguments = msgspec.defstruct(
        where, fields, tag_field="type", tag=declared.name, forbid_unknown_fields=True, frozen=True, kw_only=True
    )
    return CommandSpec(
        declared.method,
        declared.name,
        declared.permission,
        declared.once,
        declared.reads,
        declared.told,
        arguments,
        decoder_of(arguments),
        tuple(parameter.name for parameter in parameters[2:]),
    )


ENGINE_TYPES = {"join", "leave", "ping", "auth"}


def _undecodable(hint: Any) -> str:
    """Why msgspec cannot decode this type; empty: it can."""
    try:
        info = msgspec.inspect.type_info(hint)
    except TypeError as error:
        return str(error)
    return next((f"{found.cls!r}" for found in _types_in(info) if isinstance(found, msgspec.inspect.CustomType)), "")


def _types_in(info: Any, seen: frozenset[int] = frozenset()) -> Iterator[Any]:
    if not isinstance(info, msgspec.inspect.Type | msgspec.inspect.Field) or id(info) in seen:
        return
    yield info
    seen = seen | {id(info)}
    for name in info.__struct_fields__:
        value = getattr(info, name)
        for inner in value if isinstance(value, tuple) else (value,):
            yield from _types_in(inner, seen)
