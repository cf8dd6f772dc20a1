"""The servers that are compared: how each is started, joined, told to send, and what its members must then see."""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence

from bench import machine
from bench.frames import client_frame, upgrade_request
from bench.ground import ROOT, Ground
from bench.load import Broken, Dialog, Members, Sender, connect
from bench.machine import Program
from bench.senders import Poster, Script

# A payload of ours: a message as it is posted in the product, with a body of BODY_CHARS. The peers' have the same size.
FRAME_BYTES = 258
BODY_CHARS = 20

BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
SOCKETIO = ROOT / "bench" / "peers" / "socketio"
NO_PINGS = ("--ping-interval", "3600", "--ping-timeout", "3600")


def body_of(number: int, size: int) -> str:
    return f"n{number:08d}.".ljust(size, "x")


class Side:
    """One server, or what is measured on it. `start` before all else, `stop` at the end.

    A subclass says how the server is run and how a member joins; `post` and `script` give the senders.
    """

    name = ""
    label = ""
    path = "/"
    wrapped: str | None = None  # The application, where the loop's lag is measured.

    def __init__(self, ground: Ground, room: str = "bench-1", core: int | None = None) -> None:
        self.ground = ground
        self.room = room
        self.port = machine.free_port()
        self.core = machine.SERVER_CORES[0] if core is None else core
        self.program: Program | None = None

    @classmethod
    def missing(cls) -> str | None:
        """The command that installs it; None when it can be run."""
        return None

    # The server

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        return self.ground.peer_environ()

    def start(self) -> None:
        self.program = Program(
            self.command(),
            core=self.core,
            folder=ROOT,
            environ=self.environ(),
            log=self.ground.folder / f"{self.name}-{self.port}.log",
            with_pipes=self.has_pipes,
        )
        self.program.wait_until_listening(self.port)

    def stop(self) -> None:
        if self.program is not None:
            self.program.stop()

    has_pipes = False
    settle_seconds = 0.2  # How long nothing comes to members once they have joined, when nothing more will.

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

    # What is sent

    def poster(self) -> Sender:
        """A client that posts in the product's own way; for the peers it is one member more."""
        [connection] = connect(("127.0.0.1", self.port), 1, self.join)
        connection.setblocking(True)
        return Poster(connection, self.message)

    def message(self, number: int) -> bytes:
        """The frame by which a client posts."""
        return client_frame(self.text(number))

    def text(self, number: int) -> str:
        return body_of(number, FRAME_BYTES)

    def check(self, payloads: Sequence[bytes], numbers: range) -> None:
        """Raises Broken unless these are exactly those messages in this order, undamaged."""
        for number, payload in zip(numbers, payloads, strict=True):
            if self.shown(payload) != self.text(number):
                raise Broken(f"message {number} came as {payload[:100]!r}")

    def shown(self, payload: bytes) -> str:
        """The message's text in a member's frame."""
        return payload.decode()


class Hubbub(Side):
    name = "hubbub"
    label = "Hubbub"
    application = "project.asgi:application"
    settle_seconds = 2.5  # They are told who else has come, a second after the last time.

    def command(self) -> Sequence[str]:
        application = "bench.lag:application" if self.wrapped else self.application
        server = (sys.executable, "-m", "realtime.server", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port))
        return (*server, *NO_PINGS, application)

    def environ(self) -> dict[str, str]:
        more = {"BENCH_APPLICATION": self.application} if self.wrapped else {}
        # Members of the case before are told as gone before this one begins.
        return self.ground.environ(HUBBUB_PROCESS=f"web-{self.port}", HUBBUB_PRESENCE_GRACE_SECONDS="0", **more)

    def headers(self, index: int) -> dict[str, str]:
        cookies = self.ground.cookies
        return {"Cookie": f"sessionid={cookies[index % len(cookies)]}", "Origin": f"http://127.0.0.1:{self.port}"}

    def join(self, index: int) -> Dialog:
        yield from self.enter(index)
        answer = yield client_frame(f'{{"type":"room.join","ref":1,"room":"{self.room}"}}')
        while not answer.startswith(b'{"type":"ok"'):
            if answer.startswith(b'{"type":"error"'):
                raise Broken(f"not joined: {answer!r}")
            answer = yield b""

    def enter(self, index: int) -> Dialog:
        """Signed in by session cookie, and in no room."""
        yield self.request("/ws/chat/", index)
        hello = yield b""
        if not hello.startswith(b'{"type":"hello"'):
            raise Broken(f"not admitted: {hello!r}")

    def poster(self) -> Sender:
        [connection] = connect(("127.0.0.1", self.port), 1, self.enter)
        connection.setblocking(True)
        return Poster(connection, self.message, check_ok)

    def message(self, number: int) -> bytes:
        fields = f'"ref":{number},"room":"{self.room}","id":"{uuid.uuid4()}","body":"{self.text(number)}"'
        return client_frame(f'{{"type":"message.post",{fields}}}')

    def text(self, number: int) -> str:
        return body_of(number, BODY_CHARS)

    def check(self, payloads: Sequence[bytes], numbers: range) -> None:
        events = [json.loads(one) for one in payloads]
        if [one["message"]["body"] for one in events] != [self.text(number) for number in numbers]:
            raise Broken("the messages are not those that were posted, in their order")
        positions = [one["position"] for one in events]
        if positions != list(range(positions[0], positions[0] + len(numbers))):
            raise Broken(f"positions are not consecutive: {positions[:10]} …")


def check_ok(payload: bytes) -> None:
    if not payload.startswith(b'{"type":"ok"'):
        raise Broken(f"a post was not accepted: {payload!r}")


class Tutorial(Side):
    """Channels' tutorial on stock daphne."""

    layer = "pubsub"
    kind = "chat"

    def command(self) -> Sequence[str]:
        application = "bench.peers.channels_site.asgi:application"
        server = (sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port))
        return (*server, *NO_PINGS, "bench.lag:application" if self.wrapped else application)

    def environ(self) -> dict[str, str]:
        application = "bench.peers.channels_site.asgi:application"
        return self.ground.peer_environ(
            BENCH_LAYER=self.layer,
            BENCH_APPLICATION=application,
            DJANGO_SETTINGS_MODULE="bench.peers.channels_site.settings",
        )

    @property
    def path(self) -> str:  # type: ignore[override]
        return f"/ws/{self.kind}/{self.room}/"

    def headers(self, index: int) -> dict[str, str]:
        cookies = self.ground.peer_cookies
        return {"Cookie": f"sessionid={cookies[index % len(cookies)]}", "Origin": f"http://127.0.0.1:{self.port}"}

    def message(self, number: int) -> bytes:
        return client_frame(json.dumps({"message": self.text(number)}))

    def text(self, number: int) -> str:
        return body_of(number, FRAME_BYTES - len('{"message": ""}'))

    def shown(self, payload: bytes) -> str:
        text: str = json.loads(payload)["message"]
        return text


class TutorialCore(Tutorial):
    name = "channels-core"
    label = "Channels tutorial, core layer"
    layer = "core"


class TutorialPubsub(Tutorial):
    name = "channels-pubsub"
    label = "Channels tutorial, pub/sub layer"


class FastApi(Side):
    name = "fastapi"
    label = "FastAPI + Redis pub/sub"
    application = "bench.peers.fastapi_chat:app"
    path = "/ws"

    @classmethod
    def missing(cls) -> str | None:
        return None if BENCH_PYTHON.exists() else "make .venv-bench/.installed"

    def command(self) -> Sequence[str]:
        server = (str(BENCH_PYTHON), "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(self.port))
        quiet = ("--log-level", "warning", "--ws-ping-interval", "3600", "--ws-ping-timeout", "3600")
        return (*server, *quiet, "bench.lag:application" if self.wrapped else self.application)

    def environ(self) -> dict[str, str]:
        return self.ground.peer_environ(BENCH_APPLICATION=self.application)


class FastApiSaved(FastApi):
    name = "fastapi-saved"
    label = "FastAPI + Redis pub/sub, saved to SQLite"
    path = "/ws/saved"


class SocketIo(Side):
    name = "socketio"
    label = "Socket.IO + Redis adapter"
    path = "/socket.io/?EIO=4&transport=websocket"

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("node") is None:
            return "sudo apt-get install nodejs npm"
        return None if (SOCKETIO / "node_modules").exists() else "npm ci --prefix bench/peers/socketio"

    def command(self) -> Sequence[str]:
        return (shutil.which("node") or "node", str(SOCKETIO / "server.js"))

    def environ(self) -> dict[str, str]:
        return self.ground.peer_environ(PORT=str(self.port), NODE_ENV="production")

    def join(self, index: int) -> Dialog:
        yield self.request(self.path, index)
        yield b""  # The engine's own handshake.
        answer = yield client_frame("40")
        if not answer.startswith(b"40"):
            raise Broken(f"not connected: {answer!r}")

    def message(self, number: int) -> bytes:
        return client_frame("42" + json.dumps(["chat message", self.text(number)], separators=(",", ":")))

    def text(self, number: int) -> str:
        return body_of(number, FRAME_BYTES - len('42["chat message",""]'))

    def shown(self, payload: bytes) -> str:
        text: str = json.loads(payload.removeprefix(b"42"))[1]
        return text


class Bare(Side):
    name = "bare"
    label = "bare loop of socket.send in Python"
    has_pipes = True

    def command(self) -> Sequence[str]:
        return (sys.executable, str(ROOT / "bench" / "peers" / "bare.py"), str(self.port))

    def poster(self) -> Sender:
        assert self.program is not None
        return Script(self.program, FRAME_BYTES)


class BareC(Bare):
    name = "bare-c"
    label = "bare loop of send() in C"

    @classmethod
    def missing(cls) -> str | None:
        return None if shutil.which("cc") else "sudo apt-get install gcc libc6-dev"

    def command(self) -> Sequence[str]:
        binary = self.ground.folder / "bare"
        if not binary.exists():
            source = ROOT / "bench" / "peers" / "bare.c"
            subprocess.run(["cc", "-O2", "-pthread", "-o", str(binary), str(source)], check=True)
        return (str(binary), str(self.port))


def script(side: Side, *, size: int) -> Sender:
    """A script that publishes to the members of `side`, which is ours or FastAPI's."""
    if isinstance(side, Hubbub):
        environ = side.ground.environ(DJANGO_SETTINGS_MODULE="project.settings")
        target = ("hubbub", f"room.{side.room}")
    else:
        environ = side.ground.peer_environ()
        target = ("redis", "chat")
    log = side.ground.folder / "publisher.log"
    command = (sys.executable, "-m", "bench.publisher", *target)
    core = machine.client_core()
    return Script(Program(command, core=core, folder=ROOT, environ=environ, log=log, with_pipes=True), size)
