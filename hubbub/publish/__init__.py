"""Send a frame to a group from anywhere: consumer, view, command, thread, task or script.

Inside a transaction a frame waits for the commit. Nothing here raises for Redis: what matters is in the database before
it is published. See sender.py for the way to Redis.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import msgspec

from hubbub.protocol import encode
from hubbub.publish import sender
from hubbub.publish.commits import after_commit
from hubbub.publish.messages import LastFrame, OneFrame, SeveralFrames, UserId
from hubbub.publish.sender import flush, flushed, send_from

__all__ = [
    "USERS_GROUP",
    "flush",
    "flushed",
    "publish",
    "publish_access_changed",
    "publish_end",
    "publish_in_order",
    "publish_users_changed",
    "send_from",
]

# Every process hears of this group, whoever is connected to it.
USERS_GROUP = "hubbub.users"


def publish(
    group: str,
    frame: msgspec.Struct | str,
    *,
    position: int | None = None,
    version: int | None = None,
    now: bool = False,
) -> None:
    """Send `frame` (encoded once, here, unless it is text already) to every member of `group` on every process.

    `position`: of an ordered group; members get positions in order, none twice. `version`: only the newest matters;
    members are not sent one that is not above the last. Neither: sent as it comes. What is not a
    group's name is logged and not sent.

    Inside a transaction, on any database, it is sent after the commit, and not at all when that is rolled back.
    `now`: it does not wait for that. Transactions managed by hand need it: see `commits.after_commit`.
    """
    text = frame if isinstance(frame, str) else encode(frame)
    _send(partial(sender.put, OneFrame(group, text, position, version)), now)


def publish_in_order(group: str, frames: Sequence[tuple[int, str]], *, now: bool = False) -> None:
    """Send several frames of an ordered group, each (position, text), rising, in one message."""
    if frames:
        _send(partial(sender.put, SeveralFrames(group, list(frames))), now)


def publish_end(
    group: str, frame: msgspec.Struct, *, user_ids: Collection[UserId] | None = None, now: bool = False
) -> None:
    """Send `frame` to these users' members of the group, or to all for None, as the last that they get of it."""
    evicted = "all" if user_ids is None else list(user_ids)
    _send(partial(sender.put, LastFrame(group, encode(frame), evicted)), now)  # type: ignore[arg-type]


def publish_access_changed(group: str, *, now: bool = False) -> None:
    """Have every process look whether its members of the group may still be in it."""
    _send(partial(sender.put_recheck, group, [None]), now)


def publish_users_changed(user_ids: Collection[UserId] | None, *, now: bool = False) -> None:
    """Have every process look whether its sockets of these users, or of all for None, may still be there."""
    _send(partial(sender.put_recheck, USERS_GROUP, [None] if user_ids is None else user_ids), now)


def _send(put: Callable[[], None], now: bool) -> None:
    if now:
        put()
    else:
        after_commit(put)
