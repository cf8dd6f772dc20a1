"""Frames of one ordered group that arrived before a missing one: bounded in number and size. A leaf."""

from collections.abc import Collection, Iterator

from hubbub.process.log_once import LogOnce

# Frames past these bounds are read from the record, with the missing one.
MAX_FRAMES = 10_000
MAX_CHARS = 8 << 20


class OutOfOrder:
    """Frame texts by position."""

    __slots__ = ("_chars", "_log", "_texts")

    def __init__(self, group: str) -> None:
        self._texts: dict[int, str] = {}
        self._chars = 0
        self._log = LogOnce(f"group {group}: frames dropped")

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[int]:
        return iter(self._texts)

    def add(self, position: int, text: str) -> None:
        """Keep a frame; drop and log it past the bounds."""
        if position in self._texts:
            return
        if len(self._texts) >= MAX_FRAMES or self._chars + len(text) > MAX_CHARS:
            self._log.failed("too many arrived before a missing one")
            return
        self._texts[position] = text
        self._chars += len(text)

    def pop(self, position: int) -> str | None:
        """Take the frame at this position; None: not kept."""
        if (text := self._texts.pop(position, None)) is not None:
            self._chars -= len(text)
        return text

    def drop_up_to(self, position: int) -> None:
        """Drop frames up to and including this position."""
        for old in [known for known in self._texts if known <= position]:
            self.pop(old)

    def drop_strays(self, positions: Collection[int], recorded: int) -> None:
        """Drop frames beyond the end of the record: their predecessors do not exist.

        Args:
            positions: frames that had arrived before the record was read.
            recorded: the last position on record.
        """
        for position in positions:
            if position > recorded and self.pop(position) is not None:
                self._log.failed(f"position {position} is not on record")

    def clear(self) -> None:
        self._texts.clear()
        self._chars = 0
