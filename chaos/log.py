"""What a recording client writes down: what it sent and was answered, when it lost its socket, when it was back."""

from dataclasses import dataclass, field

from chaos.view import Breach, Frame, View


@dataclass(frozen=True, slots=True)
class Answer:
    """One try of a command: seconds from sending, and the `ok` or `error`; None when the socket was lost before."""

    after_seconds: float
    frame: Frame | None


@dataclass(slots=True)
class Sent:
    """A command that is repeated until it is answered: `message.post`, `message.edit` or `message.delete`."""

    kind: str
    sent_at: float
    id: str = ""
    seq: int = 0
    body: str = ""
    answers: list[Answer] = field(default_factory=list)
    answered_at: float | None = None

    @property
    def ok(self) -> Frame | None:
        """What acknowledged it."""
        last = self.answers[-1].frame if self.answers else None
        return last if last is not None and last["type"] == "ok" else None


@dataclass(frozen=True, slots=True)
class End:
    """An end of a socket, or of the try to open one, that the client had not asked for.

    `code` is 1006 when there was no close frame.
    """

    at: float
    code: int
    reason: str
    was_joined: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """From losing the socket until the room was joined again."""

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
    # When each message, by its id, came for the first time, as an event or in an answer.
    arrivals: dict[str, float] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)

    def events(self, kind: str) -> list[tuple[float, Frame]]:
        return [(at, frame) for at, frame in self.frames if frame["type"] == kind]
