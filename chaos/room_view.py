"""A room at one client: the messages that it has, and breaches of what the protocol promises about them."""

from dataclasses import dataclass, field
from typing import Any

from chaos.view import Frame, View, repeated


@dataclass(slots=True)
class RoomView(View):
    """The room after all frames."""

    messages: dict[int, Frame] = field(default_factory=dict)
    # The client must have every message from this seq on: it never loaded those before its first page.
    first_seq: int = 1

    def replace(self, state: Any) -> None:
        seqs = self._check_repetitions(state["messages"])
        if seqs != sorted(seqs):
            self.note("disordered", f"a page is not in the order of seq: {seqs}")
        self.first_seq = seqs[0] if seqs and state["more"] else 1
        self.messages = {message["seq"]: message for message in state["messages"]}

    def resume(self, events: list[Frame]) -> None:
        changed = [event for event in events if "message" in event]
        self._check_repetitions([event["message"] for event in changed])
        for event in changed:
            seq = event["message"]["seq"]
            if self.messages.get(seq) == event["message"]:
                self.note("duplicated", f"message {seq} came again, unchanged, on resume")
            else:
                self.apply(event)

    def apply(self, event: Frame) -> None:
        if message := event.get("message"):
            if event["type"] == "message.posted" and message["seq"] in self.messages:
                self.note("duplicated", f"message {message['seq']} was posted twice")
            self.messages[message["seq"]] = message

    def _check_repetitions(self, messages: list[Frame]) -> list[int]:
        """The seq of each message of an answer."""
        seqs = [message["seq"] for message in messages]
        for seq in repeated(seqs):
            self.note("duplicated", f"message {seq} is in one answer twice")
        return seqs


def messages_in(frame: Frame) -> list[Frame]:
    """The messages of an event, or of the answer to a join."""
    if "message" in frame:
        return [frame["message"]]
    page: list[Frame] = frame.get("state", {}).get("messages", [])
    return page + [event["message"] for event in frame.get("events", ()) if "message" in event]
