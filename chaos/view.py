"""A topic of kind `log` at one client, built by the rules of docs/protocol.md. Records breaches of the protocol.

Pure: it knows frames, but neither sockets nor the database.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Frame = dict[str, Any]
Kind = Literal["lost", "duplicated", "disordered", "invented"]


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise of the protocol; `text` is for people."""

    kind: Kind
    text: str


@dataclass(slots=True)
class View:
    """The topic after all frames: `joined` applies the answer to a join, `take` an event, `left` a lost socket.

    A kind of topic extends it by `replace`, `resume` and `apply`.
    """

    epoch: str | None = None
    position: int | None = None
    # Positions without an event: allowed only where a later change of the same thing replaced them.
    skipped: set[int] = field(default_factory=set)
    # The events of each resumed join, in the received order.
    resumed: list[list[Frame]] = field(default_factory=list)
    # The states that replaced everything.
    states: int = 0
    closed: str | None = None
    is_live: bool = False
    breaches: list[Breach] = field(default_factory=list)
    _received: set[int] = field(default_factory=set)

    def replace(self, state: Any) -> None:
        """Take this state for everything known."""

    def resume(self, events: list[Frame]) -> None:
        """Take the changes since the known position, as an answer to a join has them."""
        for event in events:
            self.apply(event)

    def apply(self, event: Frame) -> None:
        """Take one change."""

    def joined(self, answer: Frame) -> None:
        is_partial = answer.get("partial", False)
        self.is_live = not is_partial
        self.closed = None
        if is_partial and not (answer["complete"] and answer["events"]):
            self.note("disordered", "a partial answer has no change")
        if answer["complete"]:
            self._check_resumption(answer, is_partial=is_partial)
            self.resumed.append(answer["events"])
            self.resume(answer["events"])
        else:
            self.skipped.clear()
            self._received.clear()
            self.states += 1
            self.replace(answer["state"])
        self.epoch, self.position = answer["epoch"], answer["position"]

    def take(self, event: Frame) -> None:
        kind, position = event["type"], event.get("position")
        if kind == "closed":
            self.closed, self.is_live = event["code"], False
        elif position is None:
            return  # Events without a position are not stored.
        elif not self.is_live:
            self.note("disordered", f"{kind} at {position} came to a socket that had not joined")
        else:
            self._take_in_order(event, position)

    def left(self) -> None:
        self.is_live = False

    def note(self, kind: Kind, text: str) -> None:
        self.breaches.append(Breach(kind, text))

    def _check_resumption(self, answer: Frame, *, is_partial: bool) -> None:
        end, start = answer["position"], self.position
        if start is None or answer["epoch"] != self.epoch:
            self.note("disordered", "a join without a position was answered as a resume")
            return
        if end < start:
            self.note("disordered", f"resumed at {end}, which is before {start}")
        elif is_partial and end == start:
            self.note("disordered", f"a partial answer ends where it began, at {start}")
        positions = [event["position"] for event in answer["events"]]
        for position in repeated(positions):
            self.note("duplicated", f"position {position} is in one answer twice")
        if positions != sorted(positions):
            self.note("disordered", f"resumed changes are not in the order of position: {positions}")
        for position in positions:
            if position in self._received:
                self.note("duplicated", f"position {position} came again on resume")
            elif not start < position <= end:
                self.note("disordered", f"position {position} came on resume from {start} to {end}")
        for event in answer["events"]:
            if event["topic"] != answer["topic"]:
                self.note("invented", f"{answer['topic']} was resumed with an event of {event['topic']}")
        self.skipped |= set(range(start + 1, end + 1)).difference(positions)
        self._received.update(positions)

    def _take_in_order(self, event: Frame, position: int) -> None:
        assert self.position is not None
        if position in self._received:
            return self.note("duplicated", f"position {position} came twice")
        if position <= self.position:
            return self.note("disordered", f"position {position} came after {self.position}")
        self.skipped |= set(range(self.position + 1, position))
        self._received.add(position)
        self.position = position
        self.apply(event)


def repeated(values: Iterable[Any]) -> list[Any]:
    """The values that are there more than once."""
    return [value for value, times in Counter(values).items() if times > 1]
