"""Topic: a feature declares once what clients may see and do; the engine keeps positions, permissions and delivery."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, Self
from weakref import WeakSet

from django.db.models import Model

from hubbub.auth.identity import Identity
from hubbub.auth.tokens import declare_scope
from hubbub.delivery.recovery import StreamPosition
from hubbub.process.refusals import BadDeclaration
from hubbub.protocol import ErrorCode
from hubbub.publish.group_names import PERSONAL_PREFIX, TOPIC_PREFIX
from hubbub.topics import access, calls, marks, positions
from hubbub.topics.addresses import MAX_ADDRESS_CHARS, check_key, key_text, read_key
from hubbub.topics.commands import Access, CommandSpec, commands_of
from hubbub.topics.declarations import check_topic

# All declared topics by name.
_topics: "dict[str, type[Topic]]" = {}
# Those that a consumer has. Weak: a consumer keeps its topics.
_served: "WeakSet[type[Topic]]" = WeakSet()


class Topic:
    """One live thing: its state, its events, its commands. Subclass it, with a name and, if there are many, a key type.

    `class PollTopic(Topic, name="poll", key=int)` is addressed as `poll/7`; without a key it is addressed as `poll`.
    With `key=tuple[int, str]` it has addresses such as `poll/7/todo`, and is made by `PollTopic((7, "todo"))`.
    An object of the class stands for one address. Methods run in threads; the ORM is allowed in all of them.

    Class attributes:
        kind: "state": clients get the newest state, durably. "log": every change, in order, once. "newest": the newest
            frame only, not durable. "watch": see `hubbub.Watch`.
        permission: needed to see it, as in `user.has_perm`; or SIGNED_IN. None: `may_view` decides.
        follows: by model, a function from a row to the key of the topic that it belongs to. Saving or deleting the
            row calls `changed()`.
        presence: members are told who is present.
        personal: a topic of one user each, such as `user/7`; cheap for many of them.
        read_scope, write_scope: the scopes that a token needs; by default `<name>.read` and `<name>.write`.
        database: the alias of the database that its positions are in.
        ended: the code of `closed` for a log that has no position any more.
    """

    kind: ClassVar[str] = "state"
    permission: ClassVar[str | Access | None] = None
    follows: ClassVar[Mapping[type[Model], Callable[[Any], Any]]] = {}
    presence: ClassVar[bool] = False
    personal: ClassVar[bool] = False
    read_scope: ClassVar[str] = ""
    write_scope: ClassVar[str] = ""
    database: ClassVar[str] = "default"
    ended: ClassVar[str] = ErrorCode.NOT_FOUND

    name: ClassVar[str] = ""
    key_type: ClassVar[Any] = None
    commands: ClassVar[Mapping[str, CommandSpec]] = {}
    has_own_positions: ClassVar[bool] = False
    # Of the state of a log, which is a page of it. A join sets the room that its answer has.
    page_bytes: int = 32 * 1024

    def __init_subclass__(cls, *, name: str = "", key: Any = None, abstract: bool = False, **rest: Any) -> None:
        try:
            super().__init_subclass__(**rest)
        except TypeError:
            raise BadDeclaration(f"{cls.__name__}: {', '.join(rest)}: a topic takes name=, key=, abstract=") from None
        if abstract:
            return
        for verb in ("read", "write"):
            # The default of a topic that this is a subclass of is not its own.
            if getattr(cls, f"{verb}_scope") in ("", f"{cls.name}.{verb}"):
                setattr(cls, f"{verb}_scope", f"{name}.{verb}")
        cls.name, cls.key_type = name, key
        cls.commands = commands_of(cls)
        cls.has_own_positions = cls.read_positions.__func__ is not Topic.read_positions.__func__  # type: ignore[attr-defined]
        check_topic(cls, Topic, _topics)
        for attribute in dir(cls):
            if (declared := getattr(getattr(cls, attribute, None), "_hubbub_command", None)) is not None:
                setattr(cls, attribute, _CallFromPython(cls.commands[declared.name], attribute))
        declare_scope(cls.read_scope, "read", name)
        if cls.has_writes():
            declare_scope(cls.write_scope, "write", name)
        _topics[name] = cls

    @classmethod
    def has_writes(cls) -> bool:
        """Whether a command writes, so that tokens have a scope for it."""
        return any(spec.is_write for spec in cls.commands.values())

    def __init__(self, key: Any = None, *, is_read: bool = False) -> None:
        """`is_read`: the key was read from an address, which has checked it."""
        if (key is None) != (self.key_type is None):
            raise ValueError(f"{type(self).__name__} {'needs a' if key is None else 'has no'} key")
        if key is not None and not is_read:
            check_key(self.name, self.key_type, key)
        self.key = key
        self.unpublished: set[int] = set()
        self._is_checked = True

    @cached_property
    def address(self) -> str:
        """The address, such as `poll/7`."""
        return self.name if self.key_type is None else f"{self.name}/{key_text(self.key)}"

    @property
    def group(self) -> str:
        """The name of its group in the hub."""
        return f"{PERSONAL_PREFIX if self.personal else TOPIC_PREFIX}{self.address}"

    # For subclasses

    def state(self) -> Any:
        """The present state, of types that msgspec encodes.

        Of a newest, `Versioned` says which frame it includes, and the method may be `async def`.

        Raises:
            Refused: a join is answered with this error; after a change it closes the topic for its members.
        """
        raise NotImplementedError

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]:
        """Of a log: return at most `limit` changes above position `after`, as (position, event) in rising order."""
        raise NotImplementedError

    def can_resume(self, after: int) -> bool:
        """Of a log: return whether a client that has reached `after` is sent the changes since; else it gets the state.

        False where they are not on record any more, or more than a client wants.
        """
        return True

    def may_view(self, user: Any) -> bool:
        """Whether the user, who has the `permission`, may see this topic. False is answered as `not_found`."""
        return True

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> "Mapping[Any, Collection[Any]] | None":
        """As `may_view`, for many topics and users at once, for re-checks.

        Args:
            keys: by key of a topic, the users.

        Returns:
            By key, the users who may see it; None: `may_view` is asked for each.
        """
        return None

    @classmethod
    def renew_epoch(cls) -> None:
        """After a restore of the database: make clients start anew instead of resuming from positions that are void."""
        positions.renew_epoch(cls.database)

    def viewer(self, user: Any) -> Any:
        """Return the facts that only this user is told, with the answer to the join."""
        return None

    def on_join(self, user: Any) -> None:
        """Called in a transaction after a socket of the user has joined."""

    def on_leave(self, user: Any) -> None:
        """Called in a transaction after a socket of the user has left, or has gone."""

    # By hand, for a topic that has rows of its own or must save queries

    def enter(self, identity: Identity) -> Any:
        """Check that the `identity` of a socket may see the topic, and return `viewer`. Called before a join reads.

        Raises:
            Refused: `unauthorized`, `forbidden` or `not_found`.
        """
        user = access.current_user(identity.user_id, identity)
        access.check_view(self, user)
        return self.viewer(user)

    @classmethod
    def read_positions(cls, keys: Collection[Any]) -> Mapping[Any, StreamPosition]:
        """Of a log whose rows have positions of their own: return those of `keys`, without topics that ended.

        Such a topic takes its positions itself, under a lock, and raises the version of `access` where one changes.
        """
        raise NotImplementedError

    def read_position(self) -> StreamPosition | None:
        """As `read_positions` for this topic, after `enter` when a client joins."""
        return type(self).read_positions([self.key]).get(self.key)

    @classmethod
    def denied(cls, users: Mapping[Any, Collection[str]]) -> Mapping[Any, Mapping[str, str]] | None:
        """As `viewers_allowed`, with the ids of users, and with codes of one's own for `closed`.

        Returns:
            By key, the users without access, each with the code; None: `viewers_allowed` or `may_view` is asked.
        """
        return None

    # For commands, views, signals, the admin

    def unchecked(self) -> Self:
        """The same topic for trusted code: commands that are called on it check no permission."""
        topic = type(self)(self.key)
        topic._is_checked = False
        return topic

    def changed(self) -> None:
        """Note that the state changed. Members get the new state after the commit.

        In a command the position is taken when the command has run. In another transaction it is taken now, and its
        row is locked until the commit: call it last. Outside a transaction it is taken and published at once. With a
        transaction on another database than the topic's it is taken after the commit of both.
        """
        marks.changed([self])

    def next_position(self) -> int:
        """Of a log: take and return the position of the next change, in the transaction that stores it.

        Raises:
            TransactionManagementError: no transaction is open on the topic's database.
        """
        return marks.next_position(self)

    def publish(self, position: int, event: Any) -> None:
        """Send the event of a stored change of a log, or the frame of a newest, to the members after the commit.

        Args:
            position: from `next_position`; of a newest a rising number, such as a time: members get no lower one later.
            event: a struct with a tag, or a dictionary with a `type`; the same as from `changes`.

        Raises:
            Refused: `too_long`: the event does not fit into a frame. In the transaction, it is not stored.
        """
        marks.publish(self, position, event)

    def publish_many(self, changes: Iterable[tuple[int, Any]]) -> None:
        """As `publish` for several changes of a log, as (position, event) in rising order: in one message."""
        marks.publish_many(self, changes)

    def tell(self, event: Any) -> None:
        """Send an event that is not stored to all members, best effort: at once, or after the commit."""
        marks.tell(self, event)

    def close(self, code: str) -> None:
        """Close the topic for all members after the commit: it has ended. `code`: what clients are told."""
        marks.close(self, code)

    def access_changed(self) -> None:
        """Note that a permission on this object changed: its members are checked again after the commit."""
        marks.access_changed(self)


class _CallFromPython:
    """A command as an attribute: `PollTopic(7).vote(user, option)` runs it with the checks of the wire."""

    def __init__(self, spec: CommandSpec, attribute: str) -> None:
        self._spec = spec
        self._hubbub_command = spec
        self.__name__ = attribute
        self.__doc__ = spec.method.__doc__

    def __get__(self, topic: Topic | None, owner: type[Topic]) -> Any:
        return self if topic is None else partial(self._run, topic)

    def _run(self, topic: Topic, user: Any, /, *arguments: Any, **named: Any) -> Any:
        return calls.run_from_python(topic, self._spec, user, arguments, named)


def changed_many(topics: Iterable[Topic]) -> None:
    """As `changed` for many topics, for `update()`, `bulk_create` and raw SQL, which send no signals."""
    marks.changed([*topics])


def topics() -> "dict[str, type[Topic]]":
    """All declared topics by name."""
    return dict(_topics)


def serve(served: "Iterable[type[Topic]]") -> None:
    """Note that a consumer has these topics."""
    for topic in served:
        _served.add(topic)


def served_topics() -> "Collection[type[Topic]]":
    """The topics that a consumer has."""
    return _served


def topic_at(address: str, among: "Mapping[str, type[Topic]]") -> Topic | None:
    """The topic at the address; None: no topic of `among` has this address."""
    name, slash, text = address.partition("/")
    cls = among.get(name)
    if cls is None or len(address) > MAX_ADDRESS_CHARS or bool(slash) != (cls.key_type is not None):
        return None
    if cls.key_type is None:
        return cls()
    key = read_key(cls.key_type, text)
    return None if key is None else cls(key, is_read=True)
