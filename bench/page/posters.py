"""The others in the rooms: sockets that have joined nothing and post, one message at a time or many at a pace."""

import json
import select
import time
import uuid

from bench.frames import CLOSE, FrameReader, client_frame
from bench.handshakes import connect
from bench.load_client import Broken
from bench.prepare_page import AUTHORS, text_of
from bench.servers import Hubbub

IN_FLIGHT = 24  # Posts without an answer, of each socket: below the server's limit for commands.
WAIT_SECONDS = 30.0


class Posters:
    """Members who post in turns, three messages each."""

    def __init__(self, side: Hubbub) -> None:
        self._sockets = connect(("127.0.0.1", side.port), AUTHORS, side.enter)
        self._readers = [FrameReader() for _ in self._sockets]
        self._waiting = [0] * AUTHORS
        self._posted = 0

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()

    def post(self, slug: str, text: str) -> None:
        """Post one message, and wait for the answer."""
        self._send(0, slug, text)
        self._drain()

    def run(self, slug: str, first: int, count: int, per_second: float) -> None:
        """Post so many messages at this pace, as far as the server answers."""
        began = time.perf_counter()
        for number in range(count):
            author = number // 3 % AUTHORS
            while self._waiting[author] >= IN_FLIGHT:
                self._read(WAIT_SECONDS)
            while (rest := began + number / per_second - time.perf_counter()) > 0:
                self._read(rest, is_patient=True)
            self._send(author, slug, text_of(slug, first + number))
        self._drain()

    def _send(self, author: int, slug: str, text: str) -> None:
        self._posted += 1
        fields = {"ref": self._posted, "topic": f"room/{slug}", "id": str(uuid.uuid4()), "body": text}
        self._sockets[author].setblocking(True)
        self._sockets[author].sendall(client_frame(json.dumps({"type": "message.post", **fields})))
        self._waiting[author] += 1

    def _drain(self) -> None:
        while any(self._waiting):
            self._read(WAIT_SECONDS)

    def _read(self, seconds: float, *, is_patient: bool = False) -> None:
        """Take in what comes within `seconds`. A patient wait may end without anything."""
        readable, _, _ = select.select(self._sockets, [], [], seconds)
        if not readable and not is_patient:
            raise Broken("posts were not answered")
        for connection in readable:
            author = self._sockets.index(connection)
            chunk = connection.recv(1 << 16)
            for opcode, payload in self._readers[author].feed(chunk):
                if opcode == CLOSE or (kind := json.loads(payload)["type"]) == "error":
                    raise Broken(f"a post was refused: {payload[:200]!r}")
                self._waiting[author] -= kind == "ok"
            if not chunk:
                raise Broken("the server closed a poster's socket")
