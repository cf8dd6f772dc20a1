"""Internals of daphne, autobahn and Twisted that the server relies on: an upgrade that changes one fails here."""

import asyncio
import inspect
import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from autobahn.websocket.protocol import WebSocketProtocol
from daphne import server as daphne_server
from daphne import ws_protocol
from twisted.internet import abstract, tcp, unix

from hubbub.delivery.frames import Frames, wire_bytes
from hubbub.delivery.outbox import RawOutbox
from hubbub.process.metrics import COUNTERS
from hubbub.server import connection, websocket, websocket_connection
from hubbub.server import inbox as inbox_module
from tests.support.servers import ROOT

pytestmark = pytest.mark.slow


def test_a_transport_keeps_its_buffer_where_the_fast_path_looks() -> None:
    for transport in websocket_connection.FAST_TRANSPORTS:
        assert issubclass(transport, abstract.FileDescriptor)
        # Nothing between the transport and its socket buffers anything else.
        assert transport.write in (abstract.FileDescriptor.write, tcp.Server.write, unix.Server.write)
    empty = abstract.FileDescriptor(reactor=object())
    assert (empty.dataBuffer, empty._tempDataBuffer, empty._tempDataLen, empty.disconnecting) == (b"", [], 0, 0)
    source = inspect.getsource(abstract.FileDescriptor.write)
    assert "self._tempDataBuffer.append(data)" in source
    assert 'self.dataBuffer = b""' in inspect.getsource(abstract.FileDescriptor.doWrite)


def test_tls_is_never_written_past() -> None:
    # startTLS gives the transport another class, so that its type is not exactly one of these.
    assert set(websocket_connection.FAST_TRANSPORTS) == {tcp.Server, unix.Server}


def test_autobahn_writes_at_once_and_closes_by_the_methods_we_override() -> None:
    for name in ("sendCloseFrame", "dropConnection", "sendData", "_trigger"):
        assert callable(getattr(WebSocketProtocol, name))
    assert WebSocketProtocol.STATE_OPEN != WebSocketProtocol.STATE_CLOSING
    assert "pformat(" in inspect.getsource(WebSocketProtocol._connectionMade)
    parameters = inspect.signature(WebSocketProtocol.sendCloseFrame).parameters
    assert list(parameters) == ["self", "code", "reasonUtf8", "isReply"]
    # Its own queue is used only for chopped and synchronous writes, which nobody here asks for.
    assert "if sync or len(self.send_queue) > 0" in inspect.getsource(WebSocketProtocol.sendData)


def test_daphne_builds_its_protocols_from_the_replaced_classes() -> None:
    source = inspect.getsource(daphne_server.Server)
    assert "self.ws_factory = WebSocketFactory(" in source
    assert '"application_instance"' in source
    assert "for socket_description in self.endpoints" in source
    assert list(inspect.signature(daphne_server.Server.create_application).parameters) == ["self", "protocol", "scope"]
    assert issubclass(websocket.WebSocketProtocol, ws_protocol.WebSocketProtocol)


def test_a_frame_has_the_header_that_its_size_asks_for() -> None:
    """RFC 6455 section 5.2: 7, 7+16 or 7+64 bits."""
    assert wire_bytes("") == b"\x81\x00"
    assert wire_bytes("é") == b"\x81\x02\xc3\xa9"
    assert wire_bytes("x" * 125)[:2] == b"\x81\x7d"
    assert wire_bytes("x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert wire_bytes("x" * 65_535)[:4] == b"\x81\x7e\xff\xff"
    assert wire_bytes("x" * 65_536)[:10] == b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
    assert Frames("x" * 70_000).wire[10:] == b"x" * 70_000


class Transport:
    """Keeps written bytes until the test marks them as sent."""

    def __init__(self) -> None:
        self.dataBuffer = b""
        self._tempDataLen = 0
        self.disconnecting = self.is_aborted = False
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.dataBuffer += data

    def unregisterProducer(self) -> None: ...

    def registerProducer(self, producer: object, streaming: bool) -> None: ...

    def abortConnection(self) -> None:
        self.is_aborted = True


class Protocol:
    def __init__(self) -> None:
        self.transport = Transport()

    def consumeData(self) -> None: ...


async def test_a_write_of_the_protocol_does_not_overtake_waiting_bytes() -> None:
    """For example a ping of autobahn's, while the transport has sent a part of its buffer."""
    protocol = Protocol()
    transport = protocol.transport
    connection = websocket_connection.Connection(protocol, {})
    connection.opened()
    outbox = RawOutbox(connection)
    big = "x" * (websocket_connection.PAUSE_BYTES + 1)
    for text in (big, "second", "third"):
        outbox.put(text)
    assert transport.written == [wire_bytes(big)]
    transport.dataBuffer = transport.dataBuffer[-100:]
    transport.write(b"ping")
    connection.written()
    outbox.put("fourth")
    outbox.put_frames(Frames("a sample"), latest="samples")
    outbox.put_frames(Frames("a newer sample"), latest="samples")
    assert transport.written == [wire_bytes(big), b"ping"]
    transport.dataBuffer = b""
    connection.resumeProducing()
    expected = [wire_bytes(text) for text in ("second", "third", "fourth", "a newer sample")]
    assert transport.written[2:] == expected


async def test_a_client_that_sends_much_before_the_handshake_is_cut() -> None:
    protocol = websocket.WebSocketProtocol()
    protocol.transport = transport = Transport()
    protocol.state = protocol.STATE_CONNECTING
    protocol.data = b"x" * 1000
    protocol._dataReceived(b"x" * websocket.MAX_BEFORE_OPEN_BYTES)
    assert transport.is_aborted
    assert len(protocol.data) == 1000


async def test_a_full_inbox_pauses_reading_and_is_counted() -> None:
    said: list[str] = []
    transport = SimpleNamespace(
        pauseProducing=lambda: said.append("pause"), resumeProducing=lambda: said.append("resume")
    )
    inbox = inbox_module.Inbox(transport)
    before = COUNTERS.limited["unread"]
    for _ in range(inbox_module.MAX_UNREAD - 1):
        inbox.put_nowait({"type": "websocket.receive"})
    assert said == []
    inbox.put_nowait({"type": "websocket.receive"})
    assert (said, COUNTERS.limited["unread"] - before) == (["pause"], 1)
    for _ in range(inbox_module.MAX_UNREAD - 1):
        await inbox.get()
    assert said == ["pause"]
    await inbox.get()
    assert said == ["pause", "resume"]


def started_by_hand(*options: str, **environ: str) -> tuple[dict[str, Any], str]:
    """A server just before it listens, without settings in the environment: its attributes and its output."""
    code = """
import json, sys
from hubbub.server.server import Cli, Server
Server.run = lambda self: print(json.dumps(vars(self), default=str))
Cli().run(sys.argv[1:])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, "-v", "0", *options, "project.asgi:application"],
        cwd=ROOT,
        # Under the prefix of the tests it would wait for the end of their database's lease.
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        | {"HUBBUB_PREFIX": "by-hand"}
        | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran.stderr


def test_a_server_started_by_hand_goes_by_the_tunables() -> None:
    tuned = {
        "ping_interval": 9,
        "ping_timeout": 7,
        "websocket_timeout": -1,
        "websocket_max_message_size": 300_000,
        "websocket_max_frame_size": 300_000,
    }
    environ = {
        "HUBBUB_PING_SECONDS": "9",
        "HUBBUB_PING_TIMEOUT_SECONDS": "7",
        "HUBBUB_FRAME_BYTES": "20000",
        "HUBBUB_SENT_FRAME_BYTES": "300000",
    }
    server, _ = started_by_hand(**environ)
    assert {name: server[name] for name in tuned} == tuned
    assert server["endpoints"] == ["tcp:port=8000:interface=127.0.0.1"]
    options = {
        "--ping-interval": 60,
        "--ping-timeout": 50,
        "--websocket_timeout": 3600,
        "--websocket-max-message-size": 1000,
        "--websocket-max-frame-size": 2000,
    }
    server, _ = started_by_hand(*(f"{name}={value}" for name, value in options.items()), **environ)
    assert [server[name] for name in tuned] == list(options.values())


@pytest.mark.parametrize(
    ("options", "host"),
    [
        (["-b", "0.0.0.0", "-p", "8001"], "0.0.0.0"),
        (["-b", "::"], "::"),
        (["-e", "tcp:port=8001:interface=192.0.2.1"], "192.0.2.1"),
        (["-e", r"tcp:8001:interface=\:\:"], "::"),
        (["-u", "/run/one.sock", "-e", "ssl:443:privateKey=key.pem"], "0.0.0.0"),
        ([], None),
        (["-p", "8001"], None),
        (["-e", "tcp:port=8001:interface=127.0.0.1"], None),
        (["--fd", "3", "-e", "unix:/run/one.sock:mode=600"], None),
    ],
)
def test_a_server_started_by_hand_warns_of_debug_on_a_public_address(options: list[str], host: str | None) -> None:
    _, said = started_by_hand(*options, DEBUG="true")
    assert said.count("hubbub.W004") == (host is not None)
    assert host is None or f"(hubbub.W004) DEBUG is on, and {host} is reachable from other hosts." in said


async def test_all_tasks_of_an_application_wait_until_the_client_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: set[Any] = set()
    limits = SimpleNamespace(mark_blocked=blocked.add, mark_unblocked=blocked.discard, mark_sent=lambda channel: None)
    channel: Any = connection.Channel.__new__(connection.Channel)
    channel.__dict__["factory"] = SimpleNamespace(connections=limits)
    monkeypatch.setattr(connection.Channel, "_is_over_limit", lambda self: True)
    first, second, third = (asyncio.ensure_future(channel.wait_drained()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert blocked == {channel}  # By the others.
    channel._resume_application()
    async with asyncio.timeout(1):
        await asyncio.gather(first, third)
    assert blocked == set()
