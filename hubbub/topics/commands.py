"""`@command`: a method of a topic that clients call, with its arguments checked by their annotations."""

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar

import msgspec

from hubbub.process.refusals import BadDeclaration
from hubbub.protocol import Ref, decoder_of
from hubbub.topics.argument_types import TYPES_ALLOWED, undecodable

F = TypeVar("F", bound=Callable[..., Any])


class Access(Enum):
    """A permission that is no permission of Django."""

    SIGNED_IN = "signed in"
    PUBLIC = "public"
    VIEW = "may see the topic"
    BY_METHOD = "checked by the method"


SIGNED_IN, PUBLIC, VIEW, BY_METHOD = Access.SIGNED_IN, Access.PUBLIC, Access.VIEW, Access.BY_METHOD

# Fields of the envelope, and of joins.
RESERVED = {"ref", "type", "topic", "id", "after", "epoch"}
ENGINE_TYPES = {"join", "leave", "state", "ping", "auth"}
COMMAND_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,59}")
DJANGO_PERMISSION = re.compile(r"\w+\.[^\s.]+")
PERMISSIONS_ALLOWED = "'app.codename', VIEW (each user with access to the topic), SIGNED_IN or PUBLIC"

MAX_BATCH = 1000

# PostgreSQL stores no NUL, and no database a lone surrogate.
ClientId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00\ud800-\udfff]*$")]


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
        batch: a class method over at most so many calls; 0: a method for one call.
        struct: of a batch, the struct with the arguments.
        max_present: with more users present a told command has no effect; 0: no bound.
        arguments, decoder: the struct of its frame: `ref`, `topic`, `id` with `once`, and the arguments by name.
    """

    method: Callable[..., Any]
    name: str
    permission: str | Access
    once: bool = False
    reads: bool = False
    told: bool = False
    batch: int = 0
    struct: type[msgspec.Struct] | None = None
    arguments: type[msgspec.Struct] = field(default=msgspec.Struct)
    decoder: Any = None
    argument_names: tuple[str, ...] = ()
    max_present: int = 0

    @property
    def is_write(self) -> bool:
        """Whether it counts against the limit on writes, and needs the write scope."""
        return not self.reads and not self.told


def command(
    name: str | None = None,
    *,
    permission: str | Access | None = None,
    once: bool = False,
    reads: bool = False,
    told: bool = False,
    batch: int = 0,
    arguments: type[msgspec.Struct] | None = None,
    max_present: int = 0,
) -> Callable[[F], F]:
    """Declare a method of a topic as a command: `def vote(self, user, option: int)`.

    Without `reads` or `told` it runs in one transaction, in which the user, the session and the permissions are checked
    again (`hubbub.topics.calls`). Its result is sent as `result` of the `ok`.

    Args:
        name: on the wire; None: the name of the method.
        permission: needed: as in `user.has_perm`, or VIEW: each user with access to the topic may run it.
        once: the client sends an `id`; per user, topic and id there is one effect.
        reads: the command changes nothing: no transaction, the read scope, the limit on reads.
        told: for members of the topic, in the event loop, without thread and database: it may only call `tell`. Its
            `user` is a `Person`, with `id` and `name`. Refused first when the process is busy.
        batch: for a class method, `def post(cls, calls)`: at most so many calls of all topics of the class that arrive
            together share a transaction. `calls` is a list of `Call`; the method returns as many results, each a value
            or a `Refused`, which fails no other call. After an error each call is run alone.
        arguments: of a batch: a `msgspec.Struct` with the arguments of one call.
        max_present: of a told command: with more users present it is answered, and not run. 0: no bound.

    Raises:
        BadDeclaration: at import; names the method, the value and the values that are allowed.
    """
    if callable(name):
        where = _where(name)
        raise BadDeclaration(f"{where}: @command needs parentheses and a permission, such as @command(permission=VIEW)")

    def declare(method: F) -> F:
        function: Any = method.__func__ if batch and isinstance(method, classmethod) else method
        if not inspect.isfunction(function):
            raise BadDeclaration(f"@command on {method!r}: a command is a method with `self`: def vote(self, user)")
        if bool(batch) != isinstance(method, classmethod):
            raise BadDeclaration(f"{_where(function)}: batch={batch!r}: a class method has a batch, others have none")
        wire_name = function.__name__ if name is None else name
        kinds = (once, reads, told, batch, arguments)
        spec = CommandSpec(function, wire_name, permission, *kinds, max_present=max_present)  # type: ignore[arg-type]
        if problem := _problem(spec):
            raise BadDeclaration(f"{_where(function)}: {problem}")
        function._hubbub_command = spec  # type: ignore[attr-defined]
        return method

    return declare


def is_permission(permission: object) -> bool:
    """Whether it is a permission of `Access`, or may be one of Django, `app.codename`."""
    if isinstance(permission, Access):
        return True
    return isinstance(permission, str) and DJANGO_PERMISSION.fullmatch(permission) is not None


def _problem(spec: CommandSpec) -> str:
    """The mistake in a declared command; empty: there is none."""
    if spec.permission is None:
        return f"permission is missing: @command(permission=…) names {PERMISSIONS_ALLOWED}"
    if not is_permission(spec.permission):
        return f"permission={spec.permission!r}: a command names {PERMISSIONS_ALLOWED}"
    if not isinstance(spec.name, str) or not COMMAND_NAME.fullmatch(spec.name):
        return f"name={spec.name!r}: a command's name has up to 60 ASCII letters, digits, '.', '-' and '_'"
    if spec.name in ENGINE_TYPES:
        return f"name={spec.name!r}: the engine has this command; others are {', '.join(sorted(ENGINE_TYPES))}"
    if inspect.iscoroutinefunction(spec.method):
        return "commands run in threads: write `def` instead of `async def`"
    if spec.once and spec.reads:
        return "once=True, reads=True: a command that only reads needs no `once`"
    if spec.told and (spec.once or spec.reads):
        return "told=True: a told command has neither `once` nor `reads`"
    if type(spec.max_present) is not int or spec.max_present < 0 or (spec.max_present and not spec.told):
        return f"max_present={spec.max_present!r}: a told command may have a number of users present"
    if problem := _problem_of_batch(spec):
        return problem
    if spec.told and isinstance(spec.permission, str):
        return f"told=True, permission={spec.permission!r}: a told command asks no database; write permission=VIEW"
    return ""


def _problem_of_batch(spec: CommandSpec) -> str:
    if not spec.batch:
        if spec.permission is BY_METHOD:
            return "permission=BY_METHOD: only a command with a batch checks each call itself"
        return "" if spec.struct is None else "arguments=…: only a command with a batch has its arguments in a struct"
    if type(spec.batch) is not int or not 1 <= spec.batch <= MAX_BATCH:
        return f"batch={spec.batch!r}: a batch has 1 to {MAX_BATCH} calls"
    if spec.once or spec.reads or spec.told:
        return "batch=…: a batch has neither `once`, `reads` nor `told`"
    if not (isinstance(spec.struct, type) and issubclass(spec.struct, msgspec.Struct)):
        return f"arguments={spec.struct!r}: a batch has a msgspec.Struct with the arguments of one call"
    return ""


def _where(method: Any) -> str:
    """`PollTopic.vote`, also for a class within a function."""
    return str(getattr(method, "__qualname__", method)).rpartition("<locals>.")[2]


def commands_of(cls: type) -> dict[str, CommandSpec]:
    """The commands of a class by their names on the wire, with their frames.

    Raises:
        BadDeclaration: two of one name, or an argument that cannot be decoded.
    """
    specs: dict[str, CommandSpec] = {}
    for attribute in dir(cls):
        method = inspect.getattr_static(cls, attribute, None)
        declared = getattr(getattr(method, "__func__", method), "_hubbub_command", None)
        if declared is None:
            continue
        spec = _with_struct(cls, declared) if declared.batch else _with_arguments(cls, declared)
        if spec.name in specs:
            names = f"{specs[spec.name].method.__name__} and {spec.method.__name__}"
            raise BadDeclaration(
                f"{cls.__name__}: {names} are both the command {spec.name!r}; each name is used once", spec.method
            )
        specs[spec.name] = spec
    return specs


def _with_struct(cls: type, declared: CommandSpec) -> CommandSpec:
    """The frame of a batch command has the fields of its struct, and is one."""
    where = f"{cls.__name__}.{declared.method.__name__}"
    struct = declared.struct
    assert struct is not None
    if [*inspect.signature(declared.method).parameters] != ["cls", "calls"]:
        raise BadDeclaration(f"{where}: the arguments of a command with a batch are `cls` and `calls`", declared.method)
    if struct.__struct_config__.array_like or struct.__struct_config__.tag is not None:
        raise BadDeclaration(
            f"{where}: arguments={struct!r}: a struct of arguments has neither `array_like` nor `tag`", declared.method
        )
    hints = typing.get_type_hints(struct, include_extras=True)
    for name, sent_as in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        if sent_as in RESERVED - {"id"}:
            raise BadDeclaration(
                f"{where}: field {sent_as!r}: rename it; each frame has own fields of this name", declared.method
            )
        if problem := undecodable(hints[name]):
            raise BadDeclaration(
                f"{where}: field {name!r} is {hints[name]!r}: {problem}; {TYPES_ALLOWED}", declared.method
            )
    frame = _frame(where, declared, [("ref", Ref), ("topic", str)], bases=(struct,))
    names = struct.__struct_fields__
    return replace(declared, arguments=frame, decoder=decoder_of(frame), argument_names=names)


def _frame(where: str, declared: CommandSpec, fields: list[Any], bases: tuple[type[msgspec.Struct], ...] = ()) -> Any:
    try:
        return msgspec.defstruct(
            where,
            fields,
            bases=bases,
            tag_field="type",
            tag=declared.name,
            forbid_unknown_fields=True,
            frozen=True,
            kw_only=True,
        )
    except TypeError as error:
        raise BadDeclaration(f"{where}: {error}", declared.method) from None


def _with_arguments(cls: type, declared: CommandSpec) -> CommandSpec:
    where = f"{cls.__name__}.{declared.method.__name__}"
    parameters = [*inspect.signature(declared.method).parameters.values()]
    if [parameter.name for parameter in parameters[:2]] != ["self", "user"]:
        raise BadDeclaration(f"{where}: the first two arguments of a command are `self` and `user`", declared.method)
    arguments = parameters[2:]
    for argument in arguments:
        if problem := _problem_of(argument):
            raise BadDeclaration(f"{where}: {problem}", declared.method)
    hints = _hints(where, declared.method, [argument.name for argument in arguments])
    fields: list[Any] = [("ref", Ref), ("topic", str)]
    if declared.once:
        fields.append(("id", ClientId))
    for argument in arguments:
        hint = hints[argument.name]
        if problem := undecodable(hint):
            raise BadDeclaration(
                f"{where}: argument {argument.name!r} is {hint!r}: {problem}; {TYPES_ALLOWED}", declared.method
            )
        default = () if argument.default is argument.empty else (argument.default,)
        fields.append((argument.name, hint, *default))
    frame = _frame(where, declared, fields)
    try:
        decoder = decoder_of(frame)
    except TypeError as error:
        raise BadDeclaration(f"{where}: {error}", declared.method) from None
    names = tuple(argument.name for argument in arguments)
    return replace(declared, arguments=frame, decoder=decoder, argument_names=names)


def _problem_of(argument: inspect.Parameter) -> str:
    """The mistake in a declared argument; empty: there is none."""
    if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
        return f"argument {str(argument)!r}: clients send arguments by name; declare each of them"
    if argument.name in RESERVED:
        return f"argument {argument.name!r}: rename it; each frame has own fields {', '.join(sorted(RESERVED))}"
    if argument.annotation is argument.empty:
        return f"argument {argument.name!r} has no annotation; it is checked by one, such as `{argument.name}: int`"
    return ""


def _hints(where: str, method: Any, names: list[str]) -> dict[str, Any]:
    """The annotations of these arguments. Those of `user` and of the result may be for type checkers only."""
    annotations = {name: method.__annotations__[name] for name in names}
    holder = SimpleNamespace(__annotations__=annotations)
    try:
        return typing.get_type_hints(holder, method.__globals__, include_extras=True)
    except NameError as error:
        raise BadDeclaration(
            f"{where}: annotations {annotations!r}: {error}; import it outside TYPE_CHECKING", method
        ) from None
