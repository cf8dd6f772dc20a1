"""Changes of topics: positions are taken in the transaction of the change, and published after its commit."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from hubbub import publish as publisher
from hubbub.protocol import Person, PersonChanged, encode
from hubbub.publish.commits import after_commit, open_transactions
from hubbub.topics import positions
from hubbub.topics.addresses import key_text
from hubbub.topics.frames import Closed, event_text
from hubbub.topics.interface import LiveTopic

# Users, and keys, in one message between processes.
MAX_LISTED = 1000


class Marks:
    """What the running command has changed. The connection keeps the marks, and drops those of a savepoint's rollback.

    Args:
        database: of the command's transaction.
    """

    def __init__(self, database: str) -> None:
        self.database = database
        self._connection = connections[database]
        # Of threads that the command has started: they have connections of their own.
        self._of_other_threads: list[Mark] = []

    def add(self, topic: LiveTopic, *, is_access: bool) -> None:
        """Mark the topic as changed, or the access to it."""
        mark = Mark(self, topic, is_access)
        if connections[self.database] is self._connection:
            self._connection.on_commit(mark)
        else:
            self._of_other_threads.append(mark)

    def kept(self) -> "list[Mark]":
        """The marks that no savepoint has rolled back."""
        callbacks = (entry[1] for entry in self._connection.run_on_commit)
        own = [mark for mark in callbacks if isinstance(mark, Mark) and mark.marks is self]
        return [*own, *self._of_other_threads]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One call of `changed` or `access_changed`, kept among the callbacks of the commit."""

    marks: Marks
    topic: LiveTopic
    is_access: bool

    def __call__(self) -> None:
        """After the commit: the positions are taken already."""


_running: ContextVar[Marks | None] = ContextVar("hubbub_marks", default=None)


@contextmanager
def collected(database: str) -> Iterator[None]:
    """Collect the marks of a command, and take and publish the positions at its end. Within its transaction."""
    outer = _running.get()
    if outer is not None and outer.database == database:
        yield  # A command within a command: sorted together, at the end of the outer one.
        return
    marks = Marks(database)
    token = _running.set(marks)
    try:
        yield
    finally:
        _running.reset(token)
    kept = marks.kept()
    changed_topics = [mark.topic for mark in kept if not mark.is_access]
    _take_and_publish(changed_topics, [mark.topic for mark in kept if mark.is_access])


def changed(topics: Collection[LiveTopic]) -> None:
    """See `Topic.changed` and `changed_many`."""
    for topic in topics:
        if topic.kind != "state":
            raise TypeError(f"{topic.address}: changed() is for a state; a {topic.kind} publishes its events")
    marks = _running.get()
    if marks is not None:
        for topic in topics:
            marks.add(topic, is_access=False)
    else:
        _take_and_publish(topics)


def next_position(topic: LiveTopic) -> int:
    """See `Topic.next_position`."""
    _check_log(topic)
    position = positions.take(topic.database, [topic.address])[topic.address]
    _publish_after_commit(topic, [position])
    return position


def next_positions(changes: Mapping[LiveTopic, int]) -> dict[LiveTopic, range]:
    """As `Topic.next_position` for many logs of one database, in one statement.

    Args:
        changes: by topic, the number of its changes.

    Returns:
        The positions of each topic.
    """
    for topic in changes:
        _check_log(topic)
    if not changes:
        return {}
    database = next(iter(changes)).database
    last = positions.take_several(database, {topic.address: count for topic, count in changes.items()})
    taken = {topic: range(last[topic.address] - count + 1, last[topic.address] + 1) for topic, count in changes.items()}
    for topic, found in taken.items():
        _publish_after_commit(topic, found)
    return taken


def _check_log(topic: LiveTopic) -> None:
    if topic.kind != "log":
        raise TypeError(f"{topic.address}: only a log has positions of its own; call changed()")
    if topic.has_own_positions:
        raise TypeError(f"{topic.address}: its rows have positions of their own")
    if not connections[topic.database].in_atomic_block:
        raise TransactionManagementError("next_position() belongs into the transaction that stores the change")


def _publish_after_commit(topic: LiveTopic, taken: Collection[int]) -> None:
    topic.unpublished |= {*taken}
    after_commit(partial(_publish_unpublished, topic, max(taken)))


def publish(topic: LiveTopic, position: int, event: Any) -> None:
    """See `Topic.publish`."""
    if topic.kind == "newest":
        publisher.publish(topic.group, event_text(topic.address, event, position), version=position)
        return
    if topic.kind != "log":
        raise TypeError(f"{topic.address}: a {topic.kind} is not published; a state calls changed()")
    publish_many(topic, [(position, event)])


def publish_many(topic: LiveTopic, changes: Iterable[tuple[int, Any]]) -> None:
    """See `Topic.publish_many`."""
    # Encoded now: after the commit another transaction may change the rows.
    frames = [(position, event_text(topic.address, event, position)) for position, event in changes]
    topic.unpublished.difference_update(position for position, _ in frames)
    publisher.publish_in_order(topic.group, frames)


def tell(topic: LiveTopic, event: Any) -> None:
    """See `Topic.tell`."""
    publisher.publish_told(topic.group, event_text(topic.address, event))


def person_changed(topics: Iterable[LiveTopic], user_id: str, name: str, picture: str = "", status: str = "") -> None:
    """Send what others see of a user now to the members of these topics: `person.changed`, encoded once.

    Call it after the commit.

    Args:
        topics: those that show the user. Receivers of `hubbub.signals.user_renamed` find them.
        user_id: of the user, as from `users.id_of`.
        name: as all that follow, the present one.
        picture: its hash; empty: none.
        status: the status line; empty: none.
    """
    text = encode(PersonChanged(user=Person(user_id, name, picture, status)))
    for topic in topics:
        publisher.publish(topic.group, text)


def lists_changed(topic: LiveTopic, user_ids: Collection[str], keys: Collection[Any]) -> None:
    """See `Watch.lists_changed`."""
    ids, texts = [*user_ids], [key_text(key) for key in keys]
    for start in range(0, max(1, len(ids), len(texts)), MAX_LISTED):
        end = start + MAX_LISTED
        publisher.publish_listed(topic.group, ids[start:end], texts[start:end])


def close(topic: LiveTopic, code: str) -> None:
    """See `Topic.close`."""
    publisher.publish_end(topic.group, Closed(topic=topic.address, code=code))


def access_changed(topic: LiveTopic) -> None:
    """See `Topic.access_changed`."""
    if topic.has_own_positions:
        publisher.publish_access_changed(topic.group)
        return
    marks = _running.get()
    if marks is not None:
        marks.add(topic, is_access=True)
    else:
        _take_and_publish((), [topic])


def _publish_unpublished(topic: LiveTopic, position: int) -> None:
    """After the commit: where the event was not published, processes learn the position and read the change."""
    if position in topic.unpublished:
        topic.unpublished.discard(position)
        publisher.publish_reached(topic.group, position)


def _take_and_publish(changed: Collection[LiveTopic], access: Collection[LiveTopic] = ()) -> None:
    for database in sorted({topic.database for topic in (*changed, *access)}):
        changed_here = {topic.address: topic for topic in changed if topic.database == database}
        access_here = {topic.address: topic for topic in access if topic.database == database}
        take = partial(_take, database, changed_here, access_here)
        if all(connection.alias == database for connection in open_transactions()):
            take()
            continue
        # The change may be in the other transaction. A position that is committed before it would stand for ever for
        # the state without it.
        if connections[database].in_atomic_block:  # The change may be in this one.
            positions.take(database, changed_here, access_here)
        after_commit(take)


def _take(database: str, changed: Mapping[str, LiveTopic], access: Mapping[str, LiveTopic]) -> None:
    with transaction.atomic(using=database, savepoint=False):
        taken = positions.take(database, changed, access)
        for address, topic in changed.items():
            publisher.publish_reached(topic.group, taken[address])
        for topic in access.values():
            publisher.publish_access_changed(topic.group)
