"""Checks of a declared topic, at the import of its module: a mistake never waits for a user's request."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.db.models import Model

from hubbub.process.refusals import BadDeclaration
from hubbub.topics.addresses import VALID_NAME, is_composite
from hubbub.topics.commands import Access, is_permission

KINDS = ("state", "log", "newest", "watch")

NAMES_ALLOWED = 'a name is a small letter, then up to 39 small letters, digits, ".", "-" or "_", such as "poll"'
VALID_SCOPE = re.compile(r"[!-~]{1,80}")

# A key is read from the text of an address.
KEY_TYPES = (
    msgspec.inspect.IntType,
    msgspec.inspect.StrType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.DateType,
    msgspec.inspect.EnumType,
    msgspec.inspect.LiteralType,
)
KEYS_ALLOWED = (
    "a key is an int, a str, a UUID, a date, an Enum or a Literal, also Annotated with msgspec.Meta, "
    "or a tuple of these, such as tuple[int, str]"
)

# Methods that run in threads. The state of a newest may also be read in the event loop.
METHODS = (
    *("state", "changes", "can_resume", "may_view", "viewers_allowed", "viewer", "on_join", "on_leave"),
    *("enter", "denied", "read_positions", "read_position"),
)


def check_topic(cls: Any, base: Any, others: Mapping[str, Any]) -> None:
    """Check the declaration of a topic.

    Args:
        cls: the declared class, with its name, key type and commands.
        base: `Topic`.
        others: the declared topics by name; a reload of the same module replaces its own.

    Raises:
        BadDeclaration: names the class, the attribute, its value and the values that are allowed.
    """
    _check_name(cls, others)
    _check_kind(cls, base)
    _check_access(cls, base)
    _check_methods(cls, base)
    _check_follows(cls)
    if cls.key_type is not None:
        _check_key(cls)


def by_name(where: str, served: Iterable[Any], base: Any) -> dict[str, Any]:
    """The topics of a consumer by name.

    Args:
        where: the name of the consumer.
        served: its topics.
        base: `Topic`.

    Raises:
        BadDeclaration: two of them have one name, or it is no topic.
    """
    if not isinstance(served, Iterable):
        raise BadDeclaration(f"{where}: topics={served!r}: a list of subclasses of Topic is allowed")
    found: dict[str, Any] = {}
    for topic in served:
        is_topic = isinstance(topic, type) and issubclass(topic, base) and bool(topic.name)  # type: ignore[attr-defined]
        if not is_topic:
            raise BadDeclaration(f"{where}: topics={topic!r}: subclasses of Topic are allowed")
        if (other := found.setdefault(topic.name, topic)) is not topic:
            both = " and ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in (other, topic))
            raise BadDeclaration(f"{where}: two topics have the name {topic.name!r}: {both}; each topic has its own")
    return found


def _check_name(cls: Any, others: Mapping[str, Any]) -> None:
    name = cls.name
    if name == "":
        example = f'class {cls.__name__}(Topic, name="…")'
        raise _bad(cls, "name", name, f"a topic has a name: {example}; a base class says abstract=True")
    if not isinstance(name, str) or not VALID_NAME.fullmatch(name):
        raise _bad(cls, "name", name, NAMES_ALLOWED)
    other = others.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise _bad(cls, "name", name, f"{other.__module__}.{other.__qualname__} has this name; each topic has its own")
    for attribute in ("read_scope", "write_scope"):
        scope = getattr(cls, attribute)
        if not isinstance(scope, str) or not VALID_SCOPE.fullmatch(scope):
            allowed = f"a scope is a word of up to 80 ASCII characters, such as {name + '.read'!r}"
            raise _bad(cls, attribute, scope, allowed)


def _check_kind(cls: Any, base: Any) -> None:
    if cls.kind not in KINDS:
        raise _bad(cls, "kind", cls.kind, f"a kind is one of {', '.join(map(repr, KINDS))}")
    if cls.state is base.state and cls.kind != "watch":
        raise _bad(cls, "state", None, "each topic defines `def state(self)`")
    if cls.kind == "log" and cls.changes is base.changes:
        raise _bad(cls, "changes", None, "a log defines `def changes(self, after, limit)`")
    if cls.kind != "log" and cls.changes is not base.changes:
        raise _bad(cls, "kind", cls.kind, 'a topic with changes() is a "log"')
    if cls.has_own_positions and cls.kind != "log":
        raise _bad(cls, "kind", cls.kind, 'a topic with read_positions() is a "log"')
    if cls.has_own_positions and cls.renew_epoch.__func__ is base.renew_epoch.__func__:
        # Else a client would resume from a void position after a restored backup.
        raise _bad(cls, "renew_epoch", None, "a topic with read_positions() gives its rows a new epoch itself")
    if not cls.personal:
        return
    if cls.key_type is None:
        raise _bad(cls, "personal", True, "a topic of one user each has a key: that user's id")
    if cls.may_view is base.may_view:
        raise _bad(cls, "personal", True, "define `def may_view(self, user)`: else each user sees everybody's")
    if cls.presence:
        raise _bad(cls, "presence", True, "a personal topic has one user, and no presence")


def _check_access(cls: Any, base: Any) -> None:
    allowed = "a permission is 'app.codename', SIGNED_IN or PUBLIC"
    if cls.permission is None:
        if cls.may_view is base.may_view:
            raise _bad(cls, "permission", None, f"{allowed}; without one, define `def may_view(self, user)`")
    elif cls.permission in (Access.VIEW, Access.BY_METHOD) or not is_permission(cls.permission):
        raise _bad(cls, "permission", cls.permission, allowed)


def _check_methods(cls: Any, base: Any) -> None:
    for attribute in METHODS[1:] if cls.kind in ("newest", "watch") else METHODS:
        method = getattr(cls, attribute)
        # An unawaited `may_view` would be true for everybody.
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            raise _bad(cls, attribute, method, "methods run in threads: write `def` instead of `async def`")
    for spec in cls.commands.values():
        attribute = spec.method.__name__
        if hasattr(base, attribute):
            raise _bad(cls, attribute, spec.name, f'a method of every topic; rename it: @command("{spec.name}", …)')


def _check_follows(cls: Any) -> None:
    allowed = "a dictionary of models, each with a function from a row to the key, such as {Poll: lambda poll: poll.pk}"
    if not isinstance(cls.follows, Mapping):
        raise _bad(cls, "follows", cls.follows, allowed)
    if cls.follows and cls.kind != "state":
        raise _bad(cls, "follows", cls.follows, f"only a state follows models; a {cls.kind!r} publishes its events")
    for model, key_of in cls.follows.items():
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise _bad(cls, "follows", model, f"this is no model; follows is {allowed}")
        if not callable(key_of):
            raise _bad(cls, f"follows[{model.__name__}]", key_of, f"this is no function; follows is {allowed}")


def _check_key(cls: Any) -> None:
    try:
        info = msgspec.inspect.type_info(cls.key_type)
    except TypeError as error:
        raise _bad(cls, "key", cls.key_type, f"{error}; {KEYS_ALLOWED}") from None
    if isinstance(info, msgspec.inspect.TupleType) and is_composite(cls.key_type):
        is_key = len(info.item_types) > 1 and all(isinstance(part, KEY_TYPES) for part in info.item_types)
    else:
        is_key = isinstance(info, KEY_TYPES)
    if not is_key:
        raise _bad(cls, "key", cls.key_type, KEYS_ALLOWED)


def _bad(cls: type, attribute: str, value: object, allowed: str) -> BadDeclaration:
    return BadDeclaration(f"{cls.__name__}: {attribute}={value!r}: {allowed}")
