"""Reads of topics for joins, repairs and re-checks. Synchronous; for threads. Never writes."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub import conf
from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import StreamPosition
from hubbub.process.log_once import LogOnce
from hubbub.protocol import ErrorCode, Refused, encode, to_json
from hubbub.topics import access, positions
from hubbub.topics.addresses import address_of_group
from hubbub.topics.commands import PUBLIC
from hubbub.topics.frames import Closed, max_bytes
from hubbub.topics.interface import Find, LiveTopic

# Of a newest that does not say which frame its state includes: all frames follow it.
NO_VERSION = -1

# By address: topics with a state above the limit.
_too_long: dict[str, LogOnce] = {}
MAX_LOGS = 1000


@dataclass(frozen=True, slots=True)
class TopicState:
    """The state of a topic, encoded once for everybody; `position` is not above what the state shows."""

    epoch: str
    position: int
    state: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Versioned:
    """The state of a newest.

    Attributes:
        state: of types that msgspec encodes.
        version: the position of the newest frame that it includes; only later ones are sent.
        epoch: of the version, where versions may start anew.
    """

    state: Any
    version: int
    epoch: str = ""


def enter(topic: LiveTopic, identity: Identity) -> msgspec.Raw:
    """Check that the user may see the topic.

    Returns:
        The JSON of `viewer`, what only this user is told.

    Raises:
        Refused: `unauthorized`, `forbidden` or `not_found`.
    """
    if identity.is_anonymous and topic.permission is not PUBLIC:
        raise access.forbidden(topic)  # Here, since a topic may have an `enter` of its own.
    return msgspec.Raw(to_json(topic.enter(identity)))


def read_state(topic: LiveTopic) -> TopicState:
    """Read the position, then the state, which is at least as new.

    Raises:
        Refused: by the topic; `too_long`: it does not fit into a frame.
    """
    if topic.kind == "newest":
        return versioned(topic, topic.state())
    start = position_of(topic)
    return TopicState(start.epoch, start.position, encoded_state(topic))


def versioned(topic: LiveTopic, state: Any) -> TopicState:
    """Encode the state of a newest. Raises Refused `too_long`."""
    if not isinstance(state, Versioned):
        state = Versioned(state, NO_VERSION)
    return TopicState(state.epoch, state.version, _encoded(topic, state.state))


def find_denied(find: Find, users: dict[str, set[str]]) -> tuple[dict[str, dict[str, str]], dict[str, set[str]]]:
    """Check users in topics, for a bounded time.

    Args:
        find: finds topics.
        users: by group the ids of users.

    Returns:
        By group and user id, the last frame for each user without access. And by group, the users that are not
        checked yet.
    """
    groups = {address_of_group(group): group for group in users}
    by_class: dict[type, list[tuple[LiveTopic, Collection[str]]]] = {}
    for address, group in groups.items():
        if (topic := find(address)) is not None:
            by_class.setdefault(type(topic), []).append((topic, users[group]))
    found: dict[str, dict[str, str]] = {}
    rest: dict[str, set[str]] = {}
    until = time.monotonic() + access.CHECK_SECONDS
    for number, topics in enumerate(by_class.values()):
        seconds = until - time.monotonic()
        # Of the whole job, however many classes it has; the first is always checked.
        denied, unchecked = ({}, topics) if number and seconds <= 0 else access.denied(topics, seconds)
        for address, codes in denied.items():
            found[groups[address]] = {
                user_id: encode(Closed(topic=address, code=code)) for user_id, code in codes.items()
            }
        rest |= {groups[topic.address]: {*user_ids} for topic, user_ids in unchecked if user_ids}
    return found, rest


def read_positions(find: Find, groups: Iterable[str]) -> dict[str, StreamPosition]:
    """The positions of topics by their groups, in a query for each database."""
    by_database: dict[str, dict[str, str]] = {}
    by_class: dict[type[LiveTopic], dict[Any, str]] = {}
    for group in groups:
        if (topic := find(address := address_of_group(group))) is None or topic.kind in ("newest", "watch"):
            continue
        if topic.has_own_positions:
            by_class.setdefault(type(topic), {})[topic.key] = group
        else:
            by_database.setdefault(topic.database, {})[address] = group
    found: dict[str, StreamPosition] = {}
    for cls, by_key in by_class.items():
        found |= {by_key[key]: position for key, position in cls.read_positions(by_key.keys()).items()}
    for database, by_address in by_database.items():
        for address, position in positions.read(database, by_address).items():
            found[by_address[address]] = position
    return found


def page_bytes() -> int:
    """The largest answer to a join."""
    return min(conf.settings().page_bytes, conf.settings().sent_frame_bytes)


def position_of(topic: LiveTopic) -> StreamPosition:
    """Raises Refused `not_found`: the topic has ended."""
    if (position := read_position(topic)) is None:
        raise access.not_found()
    return position


def read_position(topic: LiveTopic) -> StreamPosition | None:
    """The position of the topic; None: it has ended."""
    if topic.has_own_positions:
        return topic.read_position()
    return positions.read(topic.database, [topic.address])[topic.address]


def encoded_state(topic: LiveTopic) -> msgspec.Raw:
    """The state of the topic. Raises Refused, also `too_long`."""
    return _encoded(topic, topic.state())


def _encoded(topic: LiveTopic, value: Any) -> msgspec.Raw:
    state = to_json(value)
    if len(state) > (limit := max_bytes()):
        problem = f"the state of {topic.address} has {len(state)} bytes, more than {limit}"
        _log_of(topic.address).failed(f"{len(state)} bytes, more than {limit}")
        raise Refused(ErrorCode.TOO_LONG, problem)
    if (log := _too_long.pop(topic.address, None)) is not None:
        log.recovered()
    return msgspec.Raw(state)


def _log_of(address: str) -> LogOnce:
    while len(_too_long) >= MAX_LOGS:
        _too_long.pop(next(iter(_too_long)), None)
    return _too_long.setdefault(address, LogOnce(f"topic {address}: the state does not fit into a frame"))


def viewer_or_none(viewer: Any) -> Any:
    """Leave out a `viewer` of null."""
    return None if bytes(viewer) == b"null" else viewer
