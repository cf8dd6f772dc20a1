"""The events that `hubbub.client` hands to its user, against the frames that arrived: each once, in their order."""

from collections import deque
from dataclasses import dataclass, field

from chaos.view import Breach, Frame


@dataclass(slots=True)
class HandingOut:
    """The events of one topic. `due`: they have arrived, and the user has not got them."""

    due: deque[Frame] = field(default_factory=deque)

    def joined(self, answer: Frame) -> None:
        """An answer to a join has arrived."""
        if answer["complete"]:
            self.due += answer["events"]
        else:
            self.due.append(
                {"type": "state", **{name: answer[name] for name in ("topic", "epoch", "position", "state")}}
            )

    def arrived(self, event: Frame) -> None:
        """An event of the joined topic has arrived."""
        self.due.append(event)

    def handed_out(self, event: Frame) -> Breach | None:
        """The user got an event. Returns the breach if it was not the next one."""
        if not self.due:
            return Breach("invented", f"the client handed out an event that has not arrived: {event}")
        if (due := self.due.popleft()) == event:
            return None
        return Breach("disordered", f"the client handed out {event}, and {due} was next")
