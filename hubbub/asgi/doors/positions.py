"""The positions of a stream's topics as one id, which a client sends back to resume. A leaf."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

# By topic: its epoch and position.
Positions = Mapping[str, tuple[str, int]]

# Of an id. Servers and proxies bound a header to 8 KiB, and a cookie takes its part.
MAX_BYTES = 4096
# Bytes of an epoch, a position and what separates them.
ENTRY_BYTES = 64
# A longer epoch, of a project's own, has no place in an id: its topic is resumed by its state.
MAX_EPOCH_BYTES = 42

_ENTRY = re.compile(r"([!-9;-~]{1,4096}):([!-9;-~]{0,4096}):(-?\d{1,19})\Z", re.ASCII)


def pack(positions: Positions) -> str:
    """Encode positions as `topic:epoch:position`, separated by commas."""
    return ",".join(
        f"{_quoted(topic)}:{quoted}:{position}"
        for topic, (epoch, position) in positions.items()
        if len(quoted := _quoted(epoch)) <= MAX_EPOCH_BYTES
    )


def unpack(text: str) -> dict[str, tuple[str, int]]:
    """Decode an id.

    Raises:
        ValueError: it is none of this protocol.
    """
    found: dict[str, tuple[str, int]] = {}
    if len(text) > MAX_BYTES:
        raise ValueError(f"an id has at most {MAX_BYTES} characters")
    for entry in text.split(",") if text else ():
        match = _ENTRY.match(entry)
        if match is None:
            raise ValueError("not an id that a stream has sent")
        topic, epoch, position = match.groups()
        found[unquote(topic)] = (unquote(epoch), int(position))
    return found


def fits(topics: Iterable[str]) -> bool:
    """Whether the positions of these topics fit into one id."""
    return sum(len(_quoted(topic)) + ENTRY_BYTES for topic in topics) <= MAX_BYTES


def _quoted(text: str) -> str:
    return quote(text, safe="/")
