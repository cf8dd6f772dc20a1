"""The handshakes of the load client: many sockets at once, each led through its dialog until it is a member."""

import select
import socket
from collections.abc import Callable, Generator, Iterator

from bench.frames import CLOSE, FrameReader, StreamReader
from bench.load_client import EVENTS, STALL_SECONDS, Broken

CONNECTING = 32  # Connections in the making at once: fewer than a listener's usual backlog of 50.

# Yields what to send; is sent b"" when the head of the answer has come, then the payload of each text frame or
# event. Returns when ready.
Dialog = Generator[bytes, bytes, None]


def connect(
    address: tuple[str, int],
    count: int,
    dialog: Callable[[int], Dialog],
    *,
    connecting: int = CONNECTING,
    are_streams: bool = False,
) -> list[socket.socket]:
    """`count` sockets, each led through its dialog, `connecting` of them at once. In the order in which they began."""
    poll = select.epoll()
    kind = _ConnectingStream if are_streams else _Connecting
    made: dict[int, _Connecting] = {}
    ready: dict[int, socket.socket] = {}
    begun = 0
    try:
        while len(ready) < count:
            while begun < count and len(made) < connecting:
                handshake = kind(begun, address, dialog(begun))
                made[handshake.socket.fileno()] = handshake
                poll.register(handshake.socket, select.EPOLLOUT)
                begun += 1
            events = poll.poll(STALL_SECONDS, EVENTS)
            if not events:
                raise Broken(f"{len(ready)} of {count} sockets connected, then nothing more")
            for fd, _ in events:
                handshake = made[fd]
                if not handshake.is_asked:
                    handshake.ask()
                    poll.modify(fd, select.EPOLLIN)
                elif handshake.is_ready():
                    poll.unregister(fd)
                    ready[handshake.index] = made.pop(fd).socket
        return [ready[index] for index in range(count)]
    except BaseException:
        for handshake in made.values():
            handshake.socket.close()
        for done in ready.values():
            done.close()
        raise
    finally:
        poll.close()


class _Connecting:
    """One socket on its way to being a member."""

    status = b"HTTP/1.1 101"

    def __init__(self, index: int, address: tuple[str, int], dialog: Dialog) -> None:
        self.index = index
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(address)
        self.is_asked = False
        self._dialog = dialog
        self._head = b""
        self._reader = FrameReader()
        self._is_answered = False

    def ask(self) -> None:
        self.is_asked = True
        self.socket.send(next(self._dialog))

    def is_ready(self) -> bool:
        """Take in what came; whether the dialog is at its end."""
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise Broken("the server closed a socket that connects")
        try:
            if not self._is_answered:
                self._head += chunk
                head, end, chunk = self._head.partition(b"\r\n\r\n")
                if not end:
                    return False
                if not head.startswith(self.status):
                    raise Broken(f"refused: {head[:200]!r}")
                self._is_answered = True
                self._answer(b"")
            for payload in self._payloads(chunk):
                self._answer(payload)
        except StopIteration:
            return True
        return False

    def _payloads(self, chunk: bytes) -> Iterator[bytes]:
        for opcode, payload in self._reader.feed(chunk):
            if opcode == CLOSE:
                raise Broken(f"the server closed a socket that connects: {payload!r}")
            yield payload

    def _answer(self, payload: bytes) -> None:
        if answer := self._dialog.send(payload):
            self.socket.send(answer)


class _ConnectingStream(_Connecting):
    """One stream on its way: nothing can be sent on it after the request."""

    status = b"HTTP/1.1 200"

    def __init__(self, index: int, address: tuple[str, int], dialog: Dialog) -> None:
        super().__init__(index, address, dialog)
        self._blocks = StreamReader()

    def _payloads(self, chunk: bytes) -> Iterator[bytes]:
        for name, value in self._blocks.feed(chunk):
            if name == b"data":
                yield value
