"""The compared servers: ours, Channels' tutorial, FastAPI, Socket.IO, and the bounds. See also fast_servers."""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace

from bench import machine
from bench.environment import ROOT
from bench.frames import client_frame
from bench.handshakes import Dialog, connect
from bench.load_client import Broken, Sender
from bench.machine import Program
from bench.senders import Poster, Script
from bench.server import BODY_CHARS, FRAME_BYTES, Side, body_of
from bench.stats import Row
from hubbub.publish.group_names import TOPIC_PREFIX

BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PEERS = ROOT / "bench" / "peers"
SOCKETIO = PEERS / "socketio"
NO_PINGS = ("--ping-interval", "3600", "--ping-timeout", "3600")
SESSION = "session cookie"


class Hubbub(Side):
    name = "hubbub"
    label = "Hubbub"
    signs_in = SESSION
    saves = "SQLite, by positions"
    application = "project.asgi:application"
    settle_seconds = 2.5  # Presence arrives up to a second after the last join.

    def command(self) -> Sequence[str]:
        application = "bench.lag_probe:application" if self.wrapped else self.application
        server = (sys.executable, "-m", "hubbub.server", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port))
        return (*server, *NO_PINGS, application)

    def environ(self) -> dict[str, str]:
        more = {"BENCH_APPLICATION": self.application} if self.wrapped else {}
        # Members of the case before leave before this one begins.
        return self.ground.environ(
            self.redis_socket, HUBBUB_PROCESS=f"web-{self.port}", HUBBUB_PRESENCE_GRACE_SECONDS="0", **more
        )

    def headers(self, index: int) -> dict[str, str]:
        cookies = self.ground.cookies
        return {"Cookie": f"sessionid={cookies[index % len(cookies)]}", "Origin": f"http://127.0.0.1:{self.port}"}

    def join(self, index: int, room: str = "") -> Dialog:
        """`room`: another one than the side's."""
        yield from self.enter(index)
        answer = yield client_frame(f'{{"type":"join","ref":1,"topic":"room/{room or self.room}"}}')
        while (kind := kind_of(answer)) != "ok":
            if kind == "error":
                raise Broken(f"not joined: {answer[:200]!r}")
            answer = yield b""

    def enter(self, index: int) -> Dialog:
        """Signed in by session cookie, and in no room."""
        yield self.request("/ws/chat/", index)
        hello = yield b""
        if kind_of(hello) != "hello":
            raise Broken(f"not admitted: {hello[:200]!r}")

    def poster(self) -> Sender:
        [connection] = connect(("127.0.0.1", self.port), 1, self.enter)
        connection.setblocking(True)
        return Poster(connection, self.message, self.answers, self.mark.encode())

    def answers(self, payload: bytes) -> bool:
        check_ok(payload)
        return True

    def message(self, number: int) -> bytes:
        fields = f'"ref":{number},"topic":"room/{self.room}","id":"{uuid.uuid4()}","body":"{self.text(number)}"'
        return client_frame(f'{{"type":"message.post",{fields}}}')

    def text(self, number: int) -> str:
        return body_of(self.mark, number, BODY_CHARS)

    def check(self, payloads: Sequence[bytes], numbers: range) -> None:
        events = [json.loads(payload) for payload in payloads]
        if [event["message"]["body"] for event in events] != [self.text(number) for number in numbers]:
            raise Broken("the messages differ from the posted ones, or their order does")
        positions = [event["position"] for event in events]
        if positions != list(range(positions[0], positions[0] + len(numbers))):
            raise Broken(f"positions are not consecutive: {positions[:10]} …")


def kind_of(payload: bytes) -> str:
    """The `type` of a frame of ours; other fields are not looked at."""
    kind: str = json.loads(payload)["type"]
    return kind


def check_ok(payload: bytes) -> None:
    if not payload.startswith(b'{"type":"ok"'):
        raise Broken(f"a post was not accepted: {payload!r}")


class Tutorial(Side):
    """Channels' tutorial on stock daphne."""

    signs_in = SESSION
    layer = "pubsub"
    kind = "chat"

    def command(self) -> Sequence[str]:
        application = "bench.peers.channels_site.asgi:application"
        server = (sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port))
        return (*server, *NO_PINGS, "bench.lag_probe:application" if self.wrapped else application)

    def environ(self) -> dict[str, str]:
        application = "bench.peers.channels_site.asgi:application"
        return self.ground.peer_environ(
            self.redis_socket,
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
        return body_of(self.mark, number, FRAME_BYTES - len('{"message": ""}'))

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
        return (*server, *quiet, "bench.lag_probe:application" if self.wrapped else self.application)

    def environ(self) -> dict[str, str]:
        return super().environ() | {"BENCH_APPLICATION": self.application}


class FastApiSaved(FastApi):
    name = "fastapi-saved"
    label = "FastAPI + Redis pub/sub, saved to SQLite"
    saves = "SQLite"
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
        return super().environ() | {"PORT": str(self.port), "NODE_ENV": "production"}

    def join(self, index: int) -> Dialog:
        yield self.request(self.path, index)
        yield b""  # The engine's own handshake.
        answer = yield client_frame("40")
        if not answer.startswith(b"40"):
            raise Broken(f"not connected: {answer!r}")

    def message(self, number: int) -> bytes:
        return client_frame("42" + json.dumps(["chat message", self.text(number)], separators=(",", ":")))

    def text(self, number: int) -> str:
        return body_of(self.mark, number, FRAME_BYTES - len('42["chat message",""]'))

    def shown(self, payload: bytes) -> str:
        text: str = json.loads(payload.removeprefix(b"42"))[1]
        return text


class Bare(Side):
    name = "bare"
    label = "bare loop of socket.send in Python"
    uses_redis = False
    has_pipes = True

    def command(self) -> Sequence[str]:
        return (sys.executable, str(PEERS / "bare.py"), str(self.port))

    def poster(self) -> Sender:
        assert self.program is not None
        return Script(self.program, FRAME_BYTES, self.script_mark)


class BareC(Bare):
    name = "bare-c"
    label = "bare loop of send() in C"

    @classmethod
    def missing(cls) -> str | None:
        return None if shutil.which("cc") else "sudo apt-get install gcc libc6-dev"

    def command(self) -> Sequence[str]:
        binary = self.ground.folder / "bare"
        if not binary.exists():
            source = PEERS / "bare.c"
            subprocess.run(["cc", "-O2", "-pthread", "-o", str(binary), str(source)], check=True)
        return (str(binary), str(self.port))


def script(side: Side) -> Sender:
    """A script that publishes to the members of `side`, which is ours or FastAPI's."""
    if isinstance(side, Hubbub):
        environ = side.ground.environ(side.redis_socket, DJANGO_SETTINGS_MODULE="project.settings")
        target = ("hubbub", f"{TOPIC_PREFIX}room/{side.room}")
    else:
        environ = side.environ()
        target = ("redis", side.channel)
    log = side.ground.folder / f"publisher-{side.port}.log"
    command = (sys.executable, "-m", "bench.publisher", *target)
    program = Program(command, core=machine.client_core(), folder=ROOT, environ=environ, log=log, with_pipes=True)
    return Script(program, FRAME_BYTES, side.script_mark)


def script_row(side: Side) -> Row:
    return replace(side.row(), name=f"{side.name}-publish", label=f"{side.label}, published by a script", saves="no")
