"""Changes of topics: positions are taken in the transaction of the change, and published after its commit."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from hubbub import publish as publisher
from hubbub.publish.commits import after_commit
from hubbub.topics import positions
from hubbub.topics.frames import event_text
from hubbub.topics.interface import LiveTopic


@dataclass(slots=True)
class Marks:
    """The topics that the running command has changed, by address."""

    changed: dict[str, LiveTopic] = field(default_factory=dict)


_running: ContextVar[Marks | None] = ContextVar("hubbub_marks", default=None)


@contextmanager
def collected(database: str) -> Iterator[None]:
    """Collect the marks of a command, and take and publish the positions at its end. Within its transaction."""
    marks = Marks()
    token = _running.set(marks)
    try:
        yield
    finally:
        _running.reset(token)
    _take_and_publish([*marks.changed.values()])


def changed(topics: Collection[LiveTopic]) -> None:
    """See `Topic.changed` and `changed_many`."""
    for topic in topics:
        if topic.kind != "state":
            raise TypeError(f"{topic.address}: changed() is for a state; a {topic.kind} publishes its events")
    marks = _running.get()
    if marks is not None:
        marks.changed |= {topic.address: topic for topic in topics}
    else:
        _take_and_publish(topics)


def next_position(topic: LiveTopic) -> int:
    """See `Topic.next_position`."""
    if topic.kind != "log":
        raise TypeError(f"{topic.address}: only a log has positions of its own; call changed()")
    if not connections[topic.database].in_atomic_block:
        raise TransactionManagementError("next_position() belongs into the transaction that stores the change")
    position = positions.take(topic.database, [topic.address])[topic.address]
    topic.unpublished.add(position)
    after_commit(partial(_publish_unpublished, topic, position))
    return position


def publish(topic: LiveTopic, position: int, event: Any) -> None:
    """See `Topic.publish`."""
    if topic.kind == "newest":
        publisher.publish(topic.group, event_text(topic.address, event, position), version=position)
        return
    if topic.kind != "log":
        raise TypeError(f"{topic.address}: a state is not published; call changed()")
    topic.unpublished.discard(position)
    publisher.publish_in_order(topic.group, [(position, event_text(topic.address, event, position))])


def tell(topic: LiveTopic, event: Any) -> None:
    """See `Topic.tell`."""
    publisher.publish_told(topic.group, event_text(topic.address, event))


def access_changed(topic: LiveTopic) -> None:
    """See `Topic.access_changed`."""
    positions.raise_access(topic.database, topic.address)
    publisher.publish_access_changed(topic.group)


def _publish_unpublished(topic: LiveTopic, position: int) -> None:
    """After the commit: where the event was not published, processes learn the position and read the change."""
    if position in topic.unpublished:
        topic.unpublished.discard(position)
        publisher.publish_reached(topic.group, position)


def _take_and_publish(topics: Collection[LiveTopic]) -> None:
    by_database: dict[str, dict[str, LiveTopic]] = {}
    for topic in topics:
        by_database.setdefault(topic.database, {})[topic.address] = topic
    for database, changed_topics in by_database.items():
        with transaction.atomic(using=database, savepoint=False):
            for address, position in positions.take(database, changed_topics).items():
                publisher.publish_reached(changed_topics[address].group, position)
