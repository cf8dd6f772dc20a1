"""The log of a recording client: commands with their answers, lost sockets and recoveries."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from chaos.handing_out import HandingOut
from chaos.view import Breach, Frame, View

AnyView = TypeVar("AnyView", bound=View)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one attempt of a command: `ok` or `error`, with its delay; None: the socket was lost first."""

    after_seconds: float
    frame: Frame | None


@dataclass(slots=True)
class Sent:
    """A command of a topic that is repeated until answered. `id`, `seq` and `body` are arguments of some commands."""

    kind: str
    sent_at: float
    arguments: dict[str, Any]
    answers: list[Answer] = field(default_factory=list)
    answered_at: float | None = None

    @property
    def ok(self) -> Frame | None:
        """The acknowledged result, if there is one."""
        last = self.answers[-1].frame if self.answers else None
        return last.get("result", {}) if last is not None and last["type"] == "ok" else None

    @property
    def id(self) -> str:
        return str(self.arguments.get("id", ""))

    @property
    def seq(self) -> int:
        return int(self.arguments.get("seq", 0))

    @property
    def body(self) -> str:
        return str(self.arguments.get("body", ""))


@dataclass(frozen=True, slots=True)
class End:
    """The unwanted end of a socket or of an attempt to open one. `code` is 1006 without a close frame."""

    at: float
    code: int
    reason: str
    was_joined: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """The time from losing the socket to rejoining the topic."""

    lost: End
    joined_at: float

    @property
    def seconds(self) -> float:
        return self.joined_at - self.lost.at


@dataclass(slots=True)
class Log(Generic[AnyView]):
    """Everything of one client. Times are `time.monotonic()`."""

    name: str
    view: AnyView
    frames: list[tuple[float, Frame]] = field(default_factory=list)
    # The first arrival of each thing by its id, such as a message, as an event or in an answer.
    arrivals: dict[str, float] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    handing_out: HandingOut = field(default_factory=HandingOut)

    def events(self, kind: str) -> list[tuple[float, Frame]]:
        return [(at, frame) for at, frame in self.frames if frame["type"] == kind]
