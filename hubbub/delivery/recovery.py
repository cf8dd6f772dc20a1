"""The record of ordered groups: what their frames are taken from again when some were missed. A leaf."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in an ordered group. `position`: all up to here is told; `more`: there is more beyond.

    `closed`: the group has ended, and this is the last frame of it. `epoch`: of these positions, as
    `StreamPosition.epoch`; None: the record has no epochs.
    """

    position: int
    frames: list[tuple[int, str]]
    more: bool = False
    closed: str | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where an ordered group stands on record. Positions of another epoch mean nothing."""

    epoch: str
    position: int
    # Rises with each change of who may be in the group.
    access: int = 0
    # Of a group in a process, not of the record: how often its positions have begun anew.
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """The record that an ordered group can be repaired from, as reads of it."""

    # (group, position) -> what changed after it, rising. It sees all that was committed before.
    read_changes: Callable[[str, int], Awaitable[Changes]]
    # Many groups -> those that exist. Asked every few seconds: it must be one query.
    read_positions: Callable[[list[str]], Awaitable[dict[str, StreamPosition]]]
    # The user ids in many groups -> of those who may not be in them, the last frame that they get of the group.
    find_revoked: Callable[[dict[str, set[str]]], Awaitable[dict[str, dict[str, str]]]] | None = None
