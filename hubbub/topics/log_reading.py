"""Reads of logs for joins and repairs. Synchronous; for threads. Never writes."""

import logging
import time
from dataclasses import dataclass

import msgspec

from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import Changes, StreamPosition
from hubbub.protocol import ErrorCode, Refused, encode
from hubbub.topics.addresses import address_of_group
from hubbub.topics.frames import ENVELOPE_BYTES, Closed, EventTooLong, event_text
from hubbub.topics.interface import Find, LiveTopic
from hubbub.topics.reading import MAX_LOGS, encoded_state, enter, page_bytes, position_of, read_position

logger = logging.getLogger(__name__)

# A repair, which every socket of the topic is sent, ends with the change that exceeds this.
REPAIR_CHARS = 128 * 1024
CHANGES_PER_READ = 64

# Sizes of pages are rounded down to this: the space for presence varies from join to join, and one page serves many.
SHARED_BYTES = 1_024
PAGE_SECONDS = 1.0
KEPT_PAGES = 32  # Each is at most `page_bytes` long.

# (address, epoch, position, after, size, users_changed) -> (expiry, page). Written by the reader threads.
_pages: "dict[tuple[str, str, int, int | None, int, int], tuple[float, LogPage]]" = {}


# The changes above the limit that are logged, each once.
_too_long_changes: dict[str, None] = {}


@dataclass(frozen=True, slots=True)
class LogPage:
    """What a client of a log gets, encoded once for all who come at one position.

    Attributes:
        events: the changes since the client's position, an array; UNSET: the state instead.
        partial: there are more changes above `position`.
    """

    epoch: str
    position: int
    events: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    partial: bool = False


def open_log(
    topic: LiveTopic,
    identity: Identity,
    after: int | None,
    epoch: str | None,
    *,
    may_be_partial: bool,
    present_bytes: int,
    users_changed: int,
) -> tuple[msgspec.Raw, LogPage]:
    """Enter a log, and read what the client lacks: the changes after its position, a first part of them, or the state.

    Args:
        topic: a log.
        identity: of the socket.
        after: the position of the client; None: it has none.
        epoch: of that position.
        may_be_partial: False: the state instead of a part.
        present_bytes: bytes of the answer that are left free for the users present.
        users_changed: a counter of changes of users: a page of another value may have old names.

    Returns:
        `viewer` as from `enter`, and the page.

    Raises:
        Refused: as `enter`.
    """
    viewer, start = _begin(topic, identity, present_bytes)
    if after is not None and epoch == start.epoch and 0 <= after <= start.position and topic.can_resume(after):
        try:
            page = _recent(topic, start, after, users_changed)
        except EventTooLong as error:
            _log_too_long(error)  # No client gets past this change, except by the state.
        else:
            if may_be_partial or not page.partial:
                return viewer, page
    return viewer, _recent(topic, start, None, users_changed)


def open_page(topic: LiveTopic, identity: Identity) -> tuple[msgspec.Raw, LogPage]:
    """As `open_log` for a client that knows nothing and does not join. The page is not shared: names in it are as now.

    Raises:
        Refused: as `enter`.
    """
    viewer, start = _begin(topic, identity, 0)
    return viewer, _read_page(topic, start, None)


def _begin(topic: LiveTopic, identity: Identity, present_bytes: int) -> tuple[msgspec.Raw, StreamPosition]:
    viewer = enter(topic, identity)
    start = position_of(topic)
    size = page_bytes() - ENVELOPE_BYTES - len(bytes(viewer)) - present_bytes
    topic.page_bytes = size - size % SHARED_BYTES
    return viewer, start


def _recent(topic: LiveTopic, start: StreamPosition, after: int | None, users_changed: int) -> LogPage:
    """The page, kept for PAGE_SECONDS: many clients reconnect at once."""
    key = (topic.address, start.epoch, start.position, after, topic.page_bytes, users_changed)
    now = time.monotonic()
    kept = _pages.get(key)
    if kept is None or kept[0] < now:
        for expired in [other for other, (until, _) in [*_pages.items()] if until < now]:
            _pages.pop(expired, None)
        if len(_pages) >= KEPT_PAGES:
            _pages.clear()
        kept = _pages[key] = (now + PAGE_SECONDS, _read_page(topic, start, after))
    return kept[1]


def _read_page(topic: LiveTopic, start: StreamPosition, after: int | None) -> LogPage:
    if after is None:
        return LogPage(start.epoch, start.position, state=encoded_state(topic))
    texts, position = _changes(topic, after, start.position, topic.page_bytes)
    events = msgspec.Raw(f"[{','.join(texts)}]".encode())
    return LogPage(start.epoch, position, events, partial=position < start.position)


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
    if (start := read_position(topic)) is None:
        return _ended(topic.address, after, topic.ended)
    frames: list[tuple[int, str]] = []
    position = after
    size = 0
    while position < start.position:
        rows = list(topic.changes(position, CHANGES_PER_READ))
        for at, event in rows:
            frames.append((at, event_text(topic.address, event, at)))
            position = at
            size += len(frames[-1][1])
            if size > REPAIR_CHARS:
                return Changes(position, frames, more=position < start.position, epoch=start.epoch)
        if len(rows) < CHANGES_PER_READ:
            position = max(start.position, position)
    return Changes(position, frames, epoch=start.epoch)


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
