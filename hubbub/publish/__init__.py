"""Send a frame to a group from anywhere: consumer, view, command, thread, task or script.

Inside a transaction a frame waits for the commit. Redis errors are not raised: important data is in the database before
it is published. `process_sender` queues frames, and `sender` sends them to Redis.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import msgspec

from hubbub.protocol import encode
from hubbub.publish import process_sender
from hubbub.publish.commits import after_commit
from hubbub.publish.messages import LastFrame, Listed, OneFrame, Reached, SeveralFrames, StreamCommand, Told, UserId
from hubbub.publish.process_sender import flush, flushed, send_from

__all__ = [
    "USERS_GROUP",
    "flush",
    "flushed",
    "publish",
    "publish_access_changed",
    "publish_end",
    "publish_in_order",
    "publish_listed",
    "publish_reached",
    "publish_stream_command",
    "publish_told",
    "publish_users_changed",
    "send_from",
]

# Every process subscribes to this group.
USERS_GROUP = "hubbub.users"


def publish(
    group: str,
    frame: msgspec.Struct | str,
    *,
    position: int | None = None,
    version: int | None = None,
    now: bool = False,
) -> None:
    """Send a frame to every member of the group on every process.

    Inside a transaction, on any database, it is sent after the commit, and not at all after a rollback.

    Args:
        group: an invalid name is logged and not sent.
        frame: encoded once, here, unless it is text.
        position: for an ordered group: members get positions in order, none twice.
        version: for states of which only the newest matters: members get rising versions only.
        now: send without waiting for the commit. Needed with autocommit off: see `commits.after_commit`.
    """
    text = frame if isinstance(frame, str) else encode(frame)
    _send(partial(process_sender.put, OneFrame(group, text, position, version), now=now), now)


def publish_in_order(group: str, frames: Sequence[tuple[int, str]], *, now: bool = False) -> None:
    """Send several frames of an ordered group in one message.

    Args:
        group: as for `publish`.
        frames: (position, text) in rising order.
        now: as for `publish`.
    """
    if frames:
        _send(partial(process_sender.put, SeveralFrames(group, list(frames)), now=now), now)


def publish_reached(group: str, position: int) -> None:
    """Tell every process that the group has a durable change at this position, which it reads from the record."""
    _send(partial(process_sender.put, Reached(group, position)), now=False)


def publish_listed(group: str, user_ids: Collection[UserId], keys: Collection[str]) -> None:
    """Tell every process that the lists of these users changed, or those users that list these keys."""
    _send(partial(process_sender.put, Listed(group, [*user_ids], [*keys])), now=False)


def publish_told(group: str, text: str) -> None:
    """Send a frame to every member that can take it at once; best effort."""
    _send(partial(process_sender.put, Told(group, text)), now=False)


def publish_end(
    group: str, frame: msgspec.Struct, *, user_ids: Collection[UserId] | None = None, now: bool = False
) -> None:
    """Evict users from the group.

    Args:
        group: as for `publish`.
        frame: the last frame that they get of the group.
        user_ids: None: all users.
        now: as for `publish`.
    """
    evicted = "all" if user_ids is None else list(user_ids)
    last = LastFrame(group, encode(frame), evicted)  # type: ignore[arg-type]
    _send(partial(process_sender.put, last, now=now), now)


def publish_stream_command(connection: str, user_id: UserId, text: str) -> None:
    """Hand a command to the stream of this name, on whichever process it is. `user_id`: of the user that sent it."""
    process_sender.put(StreamCommand(USERS_GROUP, connection, user_id, text), now=True)


def publish_access_changed(group: str, *, now: bool = False) -> None:
    """Make every process re-check its members of the group. `now`: as for `publish`."""
    _send(partial(process_sender.put_recheck, group, [None]), now)


def publish_users_changed(user_ids: Collection[UserId] | None, *, now: bool = False) -> None:
    """Make every process re-check its sockets of these users; None: of all users. `now`: as for `publish`."""
    _send(partial(process_sender.put_recheck, USERS_GROUP, [None] if user_ids is None else user_ids), now)


def _send(put: Callable[[], None], now: bool) -> None:
    if now:
        put()
    else:
        after_commit(put)
