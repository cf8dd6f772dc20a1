"""Reads of topics for joins, repairs and re-checks. Synchronous; for threads. Never writes."""

import functools
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import Error as DatabaseError

from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import Changes, StreamPosition
from hubbub.process.log_once import LogOnce
from hubbub.protocol import ErrorCode, Refused, encode, to_json
from hubbub.topics import access, positions
from hubbub.topics.addresses import address_of_group
from hubbub.topics.frames import ENVELOPE_BYTES, Closed, EventTooLong, event_text, max_bytes
from hubbub.topics.interface import Find, LiveTopic

logger = logging.getLogger(__name__)

# Of the answer to a join, and of one repair, which every socket of the topic is sent.
PAGE_BYTES = 32 * 1024
REPAIR_BYTES = 128 * 1024
CHANGES_PER_READ = 64

# Of a newest that does not say which frame its state includes: all frames follow it.
NO_VERSION = -1

# By address: topics with a state above the limit.
_too_long: dict[str, LogOnce] = {}
# The changes above the limit that are logged, each once.
_too_long_changes: dict[str, None] = {}
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


@dataclass(frozen=True, slots=True)
class LogPage:
    """What a client of a log gets. `texts`: encoded events; None: the state instead."""

    epoch: str
    position: int
    texts: list[str] | None
    state: msgspec.Raw | None = None
    partial: bool = False


def enter(topic: LiveTopic, identity: Identity) -> msgspec.Raw:
    """Check that the user may see the topic.

    Returns:
        The JSON of `viewer`, what only this user is told.

    Raises:
        Refused: `unauthorized`, `forbidden` or `not_found`.
    """
    user = access.current_user(identity.user_id, identity)
    access.check_view(topic, user)
    return msgspec.Raw(to_json(topic.viewer(user)))


def read_state(topic: LiveTopic) -> TopicState:
    """Read the position, then the state, which is at least as new.

    Raises:
        Refused: by the topic; `too_long`: it does not fit into a frame.
    """
    if topic.kind == "newest":
        return versioned(topic, topic.state())
    start = _position_of(topic)
    return TopicState(start.epoch, start.position, _encoded_state(topic))


def versioned(topic: LiveTopic, state: Any) -> TopicState:
    """Encode the state of a newest. Raises Refused `too_long`."""
    if not isinstance(state, Versioned):
        state = Versioned(state, NO_VERSION)
    return TopicState(state.epoch, state.version, _encoded(topic, state.state))


def open_log(topic: LiveTopic, after: int | None, epoch: str | None, *, may_be_partial: bool) -> LogPage:
    """Read what a client of a log lacks: the changes after its position, a first part of them, or the state.

    Args:
        topic: a log.
        after: the position of the client; None: it has none.
        epoch: of that position.
        may_be_partial: False: the state instead of a part.
    """
    start = _position_of(topic)
    if after is not None and epoch == start.epoch and 0 <= after <= start.position:
        try:
            texts, position = _changes(topic, after, start.position, PAGE_BYTES - ENVELOPE_BYTES)
        except EventTooLong as error:
            _log_too_long(error)  # No client gets past this change, except by the state.
        else:
            if position >= start.position or may_be_partial:
                return LogPage(start.epoch, position, texts, partial=position < start.position)
    return LogPage(start.epoch, start.position, None, _encoded_state(topic))


def read_changes(find: Find, group: str, after: int) -> Changes:
    """The changes of a log after a position: a repair for the hub. A log that refuses them has ended.

    It also ends with a change that does not fit into a frame; clients that join again get the state.
    """
    address = address_of_group(group)
    if (topic := find(address)) is None:
        return _ended(address, after, ErrorCode.NOT_FOUND)
    try:
        return _read_changes(topic, after)
    except EventTooLong as error:
        _log_too_long(error)
        return _ended(address, after, error.code)
    except Refused as refused:
        if refused.retry_after_ms is not None:
            raise
        return _ended(address, after, refused.code)


def _log_too_long(error: EventTooLong) -> None:
    if error.detail not in _too_long_changes:
        while len(_too_long_changes) >= MAX_LOGS:
            _too_long_changes.pop(next(iter(_too_long_changes)), None)
        _too_long_changes[error.detail] = None
        logger.warning("topic %s, clients that miss it get the state", error.detail)


def _ended(address: str, position: int, code: str) -> Changes:
    return Changes(position, [], closed=encode(Closed(topic=address, code=code)))


def _read_changes(topic: LiveTopic, after: int) -> Changes:
    start = _position_of(topic)
    frames: list[tuple[int, str]] = []
    position = after
    size = 0
    while position < start.position and size <= REPAIR_BYTES:
        rows = list(topic.changes(position, CHANGES_PER_READ))
        for at, event in rows:
            frames.append((at, event_text(topic.address, event, at)))
            size += len(frames[-1][1])
        if len(rows) < CHANGES_PER_READ:
            position = max(start.position, rows[-1][0] if rows else 0)
            break
        position = rows[-1][0]
    return Changes(position, frames, more=position < start.position, epoch=start.epoch)


def find_denied(find: Find, users: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    """The users who may no longer see a topic, with its last frame for them, by group and user id."""
    groups = {address_of_group(group): group for group in users}
    by_class: dict[type, list[tuple[LiveTopic, Collection[str]]]] = {}
    for address, group in groups.items():
        if (topic := find(address)) is not None:
            by_class.setdefault(type(topic), []).append((topic, users[group]))
    found: dict[str, dict[str, str]] = {}
    for cls, topics in by_class.items():
        try:
            denied = access.denied(topics)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - of the class: others are checked; the next sweep asks it again
            _permission_log(cls).failed(repr(error), with_traceback=True)
            continue
        _permission_log(cls).recovered()
        for address, codes in denied.items():
            found[groups[address]] = {
                user_id: encode(Closed(topic=address, code=code)) for user_id, code in codes.items()
            }
    return found


@functools.cache
def _permission_log(cls: type) -> LogOnce:
    return LogOnce(f"{cls.__name__}: authorization re-check failed")


def read_positions(find: Find, groups: Iterable[str]) -> dict[str, StreamPosition]:
    """The positions of topics by their groups, in a query for each database."""
    by_database: dict[str, dict[str, str]] = {}
    for group in groups:
        if (topic := find(address := address_of_group(group))) is not None and topic.kind != "newest":
            by_database.setdefault(topic.database, {})[address] = group
    found: dict[str, StreamPosition] = {}
    for database, by_address in by_database.items():
        for address, position in positions.read(database, by_address).items():
            found[by_address[address]] = position
    return found


def _position_of(topic: LiveTopic) -> StreamPosition:
    return positions.read(topic.database, [topic.address])[topic.address]


def _changes(topic: LiveTopic, after: int, until: int, size: int) -> tuple[list[str], int]:
    """As many changes as fit, at least one. Returns their frames, and the position up to which they are complete."""
    texts: list[str] = []
    position, used = after, 0
    while position < until:
        rows = list(topic.changes(position, CHANGES_PER_READ))
        for at, event in rows:
            text = event_text(topic.address, event, at)
            used += len(text.encode()) + 1
            if texts and used > size:
                return texts, position
            texts.append(text)
            position = at
        if len(rows) < CHANGES_PER_READ:
            return texts, max(position, until)
    return texts, position


def _encoded_state(topic: LiveTopic) -> msgspec.Raw:
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
