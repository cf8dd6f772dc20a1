"""Messages that are given to tests instead of Redis, and the hooks of commits of their transactions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connections

from hubbub.publish import process_sender
from hubbub.publish.messages import Message, Recheck

# Those within a block, which get every message in place of Redis.
_receivers: "list[Callable[[Message], None]]" = []
# The functions of `process_sender` that the blocks replace.
_replaced: dict[str, Any] = {}


@contextmanager
def received(receive: Callable[[Message], None]) -> Iterator[None]:
    """Give every message to `receive` instead of Redis."""
    if not _receivers:
        for name, replacement in (("put", _give), ("put_recheck", _give_recheck)):
            _replaced[name] = getattr(process_sender, name)
            setattr(process_sender, name, replacement)
    _receivers.append(receive)
    try:
        yield
    finally:
        _receivers.remove(receive)
        if not _receivers:  # The last block to end, in whatever order.
            for name, function in _replaced.items():
                setattr(process_sender, name, function)


def _give(message: Message, *, now: bool = False) -> None:
    for receive in [*_receivers]:
        receive(message)


def _give_recheck(group: str, user_ids: Any) -> None:
    _give(Recheck(group, "all" if None in user_ids else list(user_ids)))


@contextmanager
def commits() -> Iterator[None]:
    """In the transaction of a TestCase: run the hooks of commits that the block has added, at its end."""
    before = count_hooks()
    yield
    run_hooks(before)


def count_hooks() -> dict[str, int]:
    """The hooks that wait for the commit of each open transaction, by alias of its database."""
    return {
        connection.alias: len(connection.run_on_commit)
        for connection in connections.all(initialized_only=True)
        if connection.in_atomic_block
    }


def run_hooks(before: Mapping[str, int]) -> None:
    """Run the hooks that were added since `count_hooks`, and remove them."""
    for alias, count in before.items():
        connection = connections[alias]
        while len(connection.run_on_commit) > count:
            connection.run_on_commit.pop(count)[1]()
