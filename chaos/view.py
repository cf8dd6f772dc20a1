"""The state of one room at one client, built by the rules of docs/protocol.md. Records breaches of the protocol.

Pure: it knows frames, but neither sockets nor the database.
"""

from collections import Counter
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
    """The room after all frames: `joined` applies the answer to a join, `take` an event, `left` a lost socket."""

    epoch: str | None = None
    position: int | None = None
    messages: dict[int, Frame] = field(default_factory=dict)
    # The client must have every message from this seq on: it never loaded those before its first page.
    first_seq: int = 1
    # Positions without an event: allowed only where a later change of the same message replaced them.
    skipped: set[int] = field(default_factory=set)
    # The messages of each resumed join, in the received order.
    resumed: list[list[Frame]] = field(default_factory=list)
    pages: int = 0
    closed: str | None = None
    is_live: bool = False
    breaches: list[Breach] = field(default_factory=list)
    _received: set[int] = field(default_factory=set)

    def joined(self, answer: Frame) -> None:
        messages: list[Frame] = answer["messages"]
        seqs = [message["seq"] for message in messages]
        for seq in [seq for seq, times in Counter(seqs).items() if times > 1]:
            self._note("duplicated", f"message {seq} is in one answer twice")
        is_partial = answer.get("partial", False)
        self.is_live = not is_partial
        self.closed = None
        if is_partial and not (answer["complete"] and messages):
            self._note("disordered", "a partial answer has no change")
        if answer["complete"]:
            if self.position is None or answer["epoch"] != self.epoch:
                self._note("disordered", "a join without a position was answered as a resume")
            elif answer["position"] < self.position:
                self._note("disordered", f"resumed at {answer['position']}, which is before {self.position}")
            elif is_partial and answer["position"] == self.position:
                self._note("disordered", f"a partial answer ends where it began, at {self.position}")
            self.resumed.append(messages)
            for message in messages:
                if self.messages.get(message["seq"]) == message:
                    self._note("duplicated", f"message {message['seq']} came again, unchanged, on resume")
        else:
            if seqs != sorted(seqs):
                self._note("disordered", f"a page is not in the order of seq: {seqs}")
            self.messages.clear()
            self.skipped.clear()
            self._received.clear()
            self.first_seq = seqs[0] if seqs and answer["more"] else 1
            self.pages += 1
        self.messages |= {message["seq"]: message for message in messages}
        self.epoch, self.position = answer["epoch"], answer["position"]

    def take(self, event: Frame) -> None:
        kind, position = event["type"], event.get("position")
        if kind == "room.closed":
            self.closed, self.is_live = event["code"], False
        elif position is None:
            return  # Events without a position are not stored.
        elif not self.is_live:
            self._note("disordered", f"{kind} at {position} came to a socket that had not joined")
        else:
            self._take_in_order(event, kind, position)

    def left(self) -> None:
        self.is_live = False

    def _take_in_order(self, event: Frame, kind: str, position: int) -> None:
        assert self.position is not None
        if position in self._received:
            return self._note("duplicated", f"position {position} came twice")
        if position <= self.position:
            return self._note("disordered", f"position {position} came after {self.position}")
        self.skipped |= set(range(self.position + 1, position))
        self._received.add(position)
        self.position = position
        if message := event.get("message"):
            if kind == "message.posted" and message["seq"] in self.messages:
                self._note("duplicated", f"message {message['seq']} was posted twice")
            self.messages[message["seq"]] = message

    def _note(self, kind: Kind, text: str) -> None:
        self.breaches.append(Breach(kind, text))
