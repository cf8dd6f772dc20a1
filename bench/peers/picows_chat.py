"""A chat on picows and uvloop: a set of connections, and Redis pub/sub between processes. `picows_chat.py PORT`."""

import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from redis_relay import Relay

transports: dict[WSTransport, None] = {}


class Chat(WSListener):  # type: ignore[misc]
    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay

    def on_ws_connected(self, transport: WSTransport) -> None:
        transports[transport] = None

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        transports.pop(transport, None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self._relay.publish(frame.get_payload_as_bytes())


def broadcast(text: bytes) -> None:
    for transport in list(transports):
        transport.send(WSMsgType.TEXT, text)


async def main() -> None:
    relay = Relay(broadcast)

    def listener(request: WSUpgradeRequest) -> Chat:
        return Chat(relay)

    server = await ws_create_server(listener, "127.0.0.1", int(sys.argv[1]), backlog=128)
    async with server:
        await relay.run()


if __name__ == "__main__":
    uvloop.run(main())
