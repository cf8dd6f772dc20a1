"""The record of ordered groups, from which missed frames are read. A leaf."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of an ordered group, from its record.

    Attributes:
        position: these frames cover everything up to here.
        frames: (position, text), rising.
        more: the record has more beyond `position`.
        closed: the last frame of a group that has ended.
        epoch: of these positions, as `StreamPosition.epoch`; None: the record has no epochs.
    """

    position: int
    frames: list[tuple[int, str]]
    more: bool = False
    closed: str | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The position of an ordered group. Positions of different epochs cannot be compared."""

    epoch: str
    position: int
    # Rises with each change of access to the group.
    access: int = 0
    # Of a group in this process, not of the record: counts resets of its positions.
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """The reads of a record from which an ordered group is repaired."""

    # (group, position) -> changes after it. Must see everything committed before the call.
    read_changes: Callable[[str, int], Awaitable[Changes]]
    # Groups -> positions of those that exist. Called every few seconds: must be one query.
    read_positions: Callable[[list[str]], Awaitable[dict[str, StreamPosition]]]
    # User ids by group -> in parts: by group, the users who lost access, each with the last frame to send.
    find_revoked: Callable[[dict[str, set[str]]], AsyncIterator[dict[str, dict[str, str]]]] | None = None
    # As `read_positions`, but only of groups that changed since the last call that succeeded, and maybe others; a group
    # that ended is there with None. Without it, `read_positions` is called each time.
    read_changed_positions: Callable[[list[str]], Awaitable[dict[str, StreamPosition | None]]] | None = None
