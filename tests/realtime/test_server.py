"""What our server relies on inside daphne, autobahn and Twisted: an upgrade that moves it fails here."""

import inspect

from autobahn.websocket.protocol import WebSocketProtocol
from daphne import server as daphne_server
from daphne import ws_protocol
from twisted.internet import abstract, tcp, unix

from realtime import server
from realtime.frame import Frames, wire_bytes


def test_a_transport_keeps_what_it_has_to_send_where_the_fast_path_looks() -> None:
    for transport in server.FAST_TRANSPORTS:
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
    assert set(server.FAST_TRANSPORTS) == {tcp.Server, unix.Server}


def test_autobahn_writes_at_once_and_closes_by_the_methods_we_override() -> None:
    for name in ("sendCloseFrame", "dropConnection", "sendData", "_trigger"):
        assert callable(getattr(WebSocketProtocol, name))
    assert WebSocketProtocol.STATE_OPEN != WebSocketProtocol.STATE_CLOSING
    assert "pformat(" in inspect.getsource(WebSocketProtocol._connectionMade)
    parameters = inspect.signature(WebSocketProtocol.sendCloseFrame).parameters
    assert list(parameters) == ["self", "code", "reasonUtf8", "isReply"]
    # Its own queue is used only for chopped and synchronous writes, which nobody here asks for.
    assert "if sync or len(self.send_queue) > 0" in inspect.getsource(WebSocketProtocol.sendData)


def test_daphne_builds_its_protocols_from_what_we_replace() -> None:
    source = inspect.getsource(daphne_server.Server)
    assert "self.ws_factory = WebSocketFactory(" in source
    assert '"application_instance"' in source
    assert "for socket_description in self.endpoints" in source
    assert list(inspect.signature(daphne_server.Server.create_application).parameters) == ["self", "protocol", "scope"]
    assert issubclass(server.WebSocketProtocol, ws_protocol.WebSocketProtocol)


def test_a_frame_has_the_header_that_its_size_asks_for() -> None:
    """RFC 6455 section 5.2: 7, 7+16 or 7+64 bits."""
    assert wire_bytes("") == b"\x81\x00"
    assert wire_bytes("é") == b"\x81\x02\xc3\xa9"
    assert wire_bytes("x" * 125)[:2] == b"\x81\x7d"
    assert wire_bytes("x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert wire_bytes("x" * 65_535)[:4] == b"\x81\x7e\xff\xff"
    assert wire_bytes("x" * 65_536)[:10] == b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
    assert Frames("x" * 70_000).wire[10:] == b"x" * 70_000
