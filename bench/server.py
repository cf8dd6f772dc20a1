"""The base of all servers of a comparison: starting, joining, sending, and the frames of members."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import machine
from bench.environment import ROOT, Ground
from bench.frames import client_frame, upgrade_request
from bench.handshakes import Dialog, connect
from bench.load_client import Broken, Members, Sender
from bench.machine import Program
from bench.senders import Poster
from bench.stats import Row

# A payload of ours: a message as it is posted in the product, with a body of BODY_CHARS. The peers' have the same size.
FRAME_BYTES = 258
BODY_CHARS = 20


def body_of(mark: str, number: int, size: int) -> str:
    """A message's text. `mark` distinguishes the messages of one sender of one side from all others."""
    return f"{mark}{number:08d}.".ljust(size, "x")


class Side:
    """One server under measurement. `start` comes first, `stop` last.

    A subclass runs the server and joins members. Each side has a Redis of its own, and in it a channel of its own: two
    sides of one run never receive from each other. `redis_socket`: share the Redis on this socket.
    """

    name = ""
    label = ""
    signs_in = "no"  # How a socket proves its user.
    saves = "no"  # Where a message is kept before its members get it.
    path = "/"
    uses_redis = True
    wrapped: str | None = None  # The application, where the loop's lag is measured.
    has_pipes = False
    polls = False  # Whether it uses the processor while it waits: then it is halted during the turns of others.
    settle_seconds = 0.2  # Members without a frame for this long after joining get no more.

    def __init__(
        self, ground: Ground, room: str = "bench-1", core: int | None = None, redis_socket: Path | None = None
    ) -> None:
        self.ground = ground
        self.room = room
        self.port = machine.free_port()
        self.core = machine.SERVER_CORES[0] if core is None else core
        self.program: Program | None = None
        self.has_own_redis = self.uses_redis and redis_socket is None
        self.redis_socket = redis_socket or ground.redis_socket(f"{self.name}-{self.port}")
        self._running = contextlib.ExitStack()

    @classmethod
    def missing(cls) -> str | None:
        """The command that installs it; None when it can be run."""
        return None

    def row(self) -> Row:
        return Row(self.name, self.label, signs_in=self.signs_in, saves=self.saves)

    # The server

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        return self.ground.peer_environ(self.redis_socket, BENCH_CHANNEL=self.channel)

    @property
    def channel(self) -> str:
        return f"chat-{self.port}"

    def start(self) -> None:
        with contextlib.ExitStack() as stack:
            if self.has_own_redis:
                stack.enter_context(machine.unrestricted_redis(self.redis_socket, self.ground.folder))
            self.program = Program(
                self.command(),
                core=self.core,
                folder=ROOT,
                environ=self.environ(),
                log=self.ground.folder / f"{self.name}-{self.port}.log",
                with_pipes=self.has_pipes,
            )
            stack.callback(self.program.stop)
            self.program.wait_until_listening(self.port)
            self._running = stack.pop_all()

    def stop(self) -> None:
        self.wake()
        self._running.close()

    def halt(self) -> None:
        if self.polls and self.program is not None:
            self.program.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        if self.polls and self.program is not None:
            self.program.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """This side's turn: a side that polls runs inside only."""
        self.wake()
        try:
            yield
        finally:
            self.halt()

    @property
    def pid(self) -> int:
        assert self.program is not None
        return self.program.pid

    # Its sockets

    def members(self, count: int) -> Members:
        members = Members(connect(("127.0.0.1", self.port), count, self.join))
        members.drain(self.settle_seconds)
        return members

    def join(self, index: int) -> Dialog:
        """The dialog of a member."""
        yield self.request(self.path, index)

    def request(self, path: str, index: int) -> bytes:
        return upgrade_request(path, f"127.0.0.1:{self.port}", self.headers(index))

    def headers(self, index: int) -> dict[str, str]:
        return {}

    # Messages

    @property
    def mark(self) -> str:
        """Bytes of each message that a client posts to this side, and of no other message."""
        return f"{self.port:04x}n"

    @property
    def script_mark(self) -> str:
        """The same for messages of a script."""
        return f"{self.port:04x}p"

    def poster(self) -> Sender:
        """A client that posts in the product's own way; for the peers it is one member more."""
        [connection] = connect(("127.0.0.1", self.port), 1, self.join)
        connection.setblocking(True)
        return Poster(connection, self.message, self.answers, self.mark.encode())

    def message(self, number: int) -> bytes:
        """The frame by which a client posts."""
        return client_frame(self.text(number))

    def answers(self, payload: bytes) -> bool:
        """Whether a frame to the poster answers a post: its own message has come back. Raises Broken for a stray."""
        if self.script_mark.encode() in payload:
            return False
        if self.mark.encode() not in payload:
            raise Broken(f"a stray came to the poster: {payload[:100]!r}")
        return True

    def text(self, number: int) -> str:
        return body_of(self.mark, number, FRAME_BYTES)

    def check(self, payloads: Sequence[bytes], numbers: range) -> None:
        """Raises Broken unless these are exactly those messages in this order, undamaged."""
        for number, payload in zip(numbers, payloads, strict=True):
            if self.shown(payload) != self.text(number):
                raise Broken(f"message {number} came as {payload[:100]!r}")

    def shown(self, payload: bytes) -> str:
        """The message's text in a member's frame."""
        return payload.decode()
