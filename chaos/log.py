"""The log of a recording client: commands with their answers, lost sockets and recoveries."""

from dataclasses import dataclass, field

from chaos.view import Breach, Frame, View


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one attempt of a command: `ok` or `error`, with its delay; None: the socket was lost first."""

    after_seconds: float
    frame: Frame | None


@dataclass(slots=True)
class Sent:
    """A command that is repeated until answered: `message.post`, `message.edit` or `message.delete`."""

    kind: str
    sent_at: float
    id: str = ""
    seq: int = 0
    body: str = ""
    answers: list[Answer] = field(default_factory=list)
    answered_at: float | None = None

    @property
    def ok(self) -> Frame | None:
        """The acknowledgement, if there is one."""
        last = self.answers[-1].frame if self.answers else None
        return last if last is not None and last["type"] == "ok" else None


@dataclass(frozen=True, slots=True)
class End:
    """The unwanted end of a socket or of an attempt to open one. `code` is 1006 without a close frame."""

    at: float
    code: int
    reason: str
    was_joined: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """The time from losing the socket to rejoining the room."""

    lost: End
    joined_at: float

    @property
    def seconds(self) -> float:
        return self.joined_at - self.lost.at


@dataclass(slots=True)
class Log:
    """Everything of one client. Times are `time.monotonic()`."""

    name: str
    view: View = field(default_factory=View)
    frames: list[tuple[float, Frame]] = field(default_factory=list)
    # The first arrival of each message by its id, as an event or in an answer.
    arrivals: dict[str, float] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)

    def events(self, kind: str) -> list[tuple[float, Frame]]:
        return [(at, frame) for at, frame in self.frames if frame["type"] == kind]
