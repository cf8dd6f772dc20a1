"""The rows of the case `page`, and their goals. In each, less is better. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stats import Row, Table, short, spread

BESIDE = "beside"
HEAD = ("", "measured", "goal", "")
# Browsers put a scroller at whole pixels, so that a row of another height may end up a part of one beside its place.
PIXEL = 0.99


@dataclass(frozen=True, slots=True)
class Goal:
    """One row. `most`: None where it is measured for comparison only. `slack`: what is rounding."""

    name: str
    label: str
    unit: str
    most: float | None
    slack: float = 0.0

    def verdict(self, value: float) -> str:
        if math.isnan(value):
            return "not measured"
        if self.most is None:
            return ""
        return "met" if value <= self.most + self.slack else "MISSED"

    def line(self, row: Row) -> Sequence[str]:
        samples = row.samples.get("value", [])
        unit = f" {self.unit}" if self.unit else ""
        is_one = len({short(sample) for sample in samples}) == 1
        measured = f"{short(samples[0]) if is_one else spread(samples)}{unit}" if samples else "–"
        return (self.label, measured, self.bound(unit), self.verdict(row.median("value")))

    def bound(self, unit: str) -> str:
        if self.most is None:
            return ""
        return f"{short(self.most)}{unit} or less" if self.most else f"0{unit}"


GOALS = (
    Goal("switch-again", "switch to a room visited before", "ms", 100),
    Goal("switch-new", "switch to a room not visited before", "ms", 100),
    Goal("switch-again-150", "the same at 150 ms: visited before", "ms", 100),
    Goal("switch-new-150", "the same at 150 ms: not visited before", "ms", 250),
    Goal("load-cold", "first visit at 150 ms, cache empty", "ms", 1_000),
    Goal("load-warm", "later visit at 150 ms", "ms", 500),
    Goal("load-cold-tcp", "first visit at 150 ms, each connection a round trip more", "ms", None),
    Goal("event", "a message to a page with 600, CPU 4 x slower: script, style, layout", "ms", 8),
    Goal("event-task", "the same: the main thread in all", "ms", None),
    Goal("event-cpu", "the same, CPU not slower: CPU time of the main thread", "ms", None),
    Goal("minute-longest", "10 messages/s for a minute, CPU 4 x slower: longest task over 50 ms", "ms", 50),
    Goal("minute-dropped", "the same: dropped frames", "%", 5),
    Goal("minute-idle", "the same: dropped frames before, while nothing comes", "%", None),
    Goal("minute-busy", "the same: the main thread is busy", "%", 10),
    Goal("heap-before", "heap after 600 messages", "MiB", None),
    Goal("heap-growth", "heap: growth by an hour's 36,000 messages", "MiB", 1),
    Goal("bytes-html", "first visit: HTML", "KiB", 14),
    Goal("bytes-css", "first visit: style sheets", "KiB", 20),
    Goal("bytes-js", "first visit: scripts", "KiB", 100),
    Goal("bytes-other", "first visit: pictures and all else", "KiB", None),
    Goal("bytes-socket", "first visit: socket until joined, both ways", "KiB", 10),
    Goal("bytes-message", "a message: socket, to the page", "bytes", None),
    Goal("enter", "from Enter until the other browser shows the message", "ms", 50),
    Goal("strip", "from the loss of the server until the strip is there", "ms", 20),
    Goal("strip-painted", "the same: until it is painted", "ms", None),
    Goal("waiting", "posts written meanwhile: lost, doubled or out of order", "", 0),
    Goal("draft", "drafts lost by a reload", "", 0),
    Goal("back-moves", "scrolling back through 341 messages: greatest move", "px", 0, slack=PIXEL),
    Goal("new-moves", "a new message while scrolled back: greatest move", "px", 0, slack=PIXEL),
    Goal("cls-load", "shift of the layout (CLS), first visit", "", 0, slack=0.001),
    Goal("cls-switch", "shift of the layout, switches, also right after a click", "", 0, slack=0.001),
    Goal(BESIDE, "other programs on the machine meanwhile", "%", None),
)
BY_NAME = {goal.name: goal for goal in GOALS}


def empty_rows() -> list[Row]:
    return [Row(goal.name, goal.label) for goal in GOALS]


def lines(table: Table) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The head and lines of the table: medians, with the least and the greatest of the rounds."""
    return HEAD, [BY_NAME[row.name].line(row) for row in table.rows]
