"""Reads for watches: lists of users, and positions and summaries of what they list. Synchronous; for threads."""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import StreamPosition
from hubbub.protocol import to_json
from hubbub.topics import reading
from hubbub.topics.addresses import key_text
from hubbub.topics.frames import ListState, max_bytes
from hubbub.topics.interface import Find, WatchTopic

# Users whose lists are read by one call of `keys_for`.
USERS_PER_READ = 500
LIST_BYTES = 64  # Of a list beside its items.


@dataclass(frozen=True, slots=True)
class Item:
    """One watched topic as its watchers see it.

    Attributes:
        key: of the topic, as in its address.
        position: of the topic, not above what the summary shows.
        summary: encoded once for all watchers.
        size: of the summary in bytes.
        mark: as from `Watch.access_marks`, before it was last read which watchers list the topic. None: there is none.
    """

    key: str
    position: StreamPosition
    summary: msgspec.Raw
    size: int
    mark: Any = None


@dataclass(frozen=True, slots=True)
class Read:
    """What a read has found.

    Attributes:
        lists: the keys of each user who was asked for.
        items: summaries by key; None: there is no such topic any more.
        among: by user, those of `asked` that the user lists; the user lists no other one of them.
        asked: keys to which access may have changed.
    """

    lists: Mapping[str, frozenset[str]]
    items: Mapping[str, Item | None]
    among: Mapping[str, frozenset[str]]
    asked: frozenset[str]


def read_lists(
    topic: WatchTopic, find: Find, user_ids: Collection[str], asked: Collection[str], watchers: Collection[str],
    known: Collection[str],
) -> Read:  # fmt: skip
    """Read the whole lists of some users, and which of the `asked` keys all `watchers` list.

    Positions are read first: what changes meanwhile has another position at the next pulse. Lists are read once more
    after the summaries: a user who lost a topic meanwhile gets nothing of it.
    """
    keys = frozenset(asked)
    marks = _marks(topic, keys)
    before = _positions(topic, find, keys)
    lists = _lists(topic, user_ids, None)
    among = _lists(topic, watchers, keys) if keys else {}
    # Those that were asked for are read anew: their summaries may show what has no position, such as a name.
    wanted = (frozenset[str]().union(*lists.values()) - {*known}).union(*among.values())
    before = {**before, **_positions(topic, find, wanted - before.keys())}
    marks = {**marks, **_marks(topic, wanted - keys)}
    items = _items(topic, wanted, before, marks)
    return Read(_both(lists, _lists(topic, user_ids, None)), items, _both(among, _lists(topic, watchers, keys)), keys)


def read_moves(
    topic: WatchTopic, find: Find, known: Mapping[str, Item], watchers: Collection[str]
) -> Read:  # fmt: skip
    """Read what moved since the `known` positions; and which watchers list it, where access may have changed.

    Marks are read after the summaries: no watcher gets words that were written after the watcher lost the topic. A
    version of access alone would not do: it may rise after the commit of a removal.
    """
    now = _positions(topic, find, known.keys())
    moved = {key for key, item in known.items() if now.get(key) != item.position}
    found = _items(topic, moved & now.keys(), now, {})
    marks = _marks(topic, found)
    items = {key: item and replace(item, mark=marks.get(key)) for key, item in found.items()}
    again = _positions(topic, find, items)
    asked = frozenset(key for key in items if _may_differ(known[key], marks.get(key), again.get(key)))
    among = _lists(topic, watchers, asked) if asked else {}
    gone: dict[str, Item | None] = dict.fromkeys(moved - now.keys())
    return Read({}, {**items, **gone}, among, asked)


def read_state(topic: WatchTopic, find: Find, identity: Identity) -> tuple[msgspec.Raw, msgspec.Raw]:
    """`viewer`, and the list of one user who does not join: as much of it as fits into a frame."""
    viewer = reading.enter(topic, identity)
    read = read_lists(topic, find, [identity.user_id], (), (), ())
    # Not the summaries of topics that were lost while they were read.
    items = [item for key in read.lists[identity.user_id] if (item := read.items.get(key)) is not None]
    summaries, rest = fitting(items, max_bytes() - len(bytes(viewer)) - LIST_BYTES)
    return viewer, msgspec.Raw(to_json(ListState(items=summaries, more=bool(rest))))


def fitting(items: Iterable[Item], size: int) -> tuple[list[msgspec.Raw], list[Item]]:
    """The summaries that fit into `size` bytes, at least one, and the other items."""
    summaries: list[msgspec.Raw] = []
    rest: list[Item] = []
    for item in items:
        size -= item.size + 1
        if size < 0 and summaries:
            rest.append(item)
        else:
            summaries.append(item.summary)
    return summaries, rest


def _may_differ(item: Item, mark: Any, position: StreamPosition | None) -> bool:
    """Whether other users may list the topic than when `item` was read."""
    if position is None or mark is None or mark != item.mark:
        return True
    return (position.epoch, position.access) != (item.position.epoch, item.position.access)


def _marks(topic: WatchTopic, keys: Collection[str]) -> dict[str, Any]:
    marks = topic.access_marks([topic.watched_key(text) for text in keys]) if keys else {}
    return {_text(key): mark for key, mark in marks.items()}


def _both(
    before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:  # fmt: skip
    """What users list at both times."""
    return {user_id: keys if keys == after[user_id] else keys & after[user_id] for user_id, keys in before.items()}


def _lists(topic: WatchTopic, user_ids: Collection[str], among: frozenset[str] | None) -> dict[str, frozenset[str]]:
    """The lists of users; users with the same list share one object."""
    if among is not None and not among:
        return {}
    keys = None if among is None else [topic.watched_key(text) for text in among]
    found: dict[str, frozenset[str]] = {}
    shared: dict[frozenset[str], frozenset[str]] = {}
    ordered = [*user_ids]
    for start in range(0, len(ordered), USERS_PER_READ):
        part = ordered[start : start + USERS_PER_READ]
        for user_id, listed in topic.keys_for(part, keys).items():
            texts = frozenset(map(_text, listed))
            found[user_id] = shared.setdefault(texts, texts)
    return {user_id: found.get(user_id, frozenset()) for user_id in ordered}


def _text(key: Any) -> str:
    """The spelling of a key, one object in all lists."""
    return sys.intern(key_text(key))


def _positions(topic: WatchTopic, find: Find, keys: Collection[str]) -> dict[str, StreamPosition]:
    by_group = {topic.watched_group(text): text for text in keys}
    return {by_group[group]: position for group, position in reading.read_positions(find, by_group).items()}


def _items(
    topic: WatchTopic, keys: Collection[str], positions: Mapping[str, StreamPosition], marks: Mapping[str, Any]
) -> dict[str, Item | None]:  # fmt: skip
    typed = {topic.watched_key(text): text for text in keys if text in positions}
    summaries = topic.summaries(typed.keys()) if typed else {}
    items: dict[str, Item | None] = dict.fromkeys(keys)
    for key, summary in summaries.items():
        text, encoded = typed[key], to_json(summary)
        items[text] = Item(text, positions[text], msgspec.Raw(encoded), len(encoded), marks.get(text))
    return items
