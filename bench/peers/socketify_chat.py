"""A chat on socketify, which is uWebSockets: its own topics, and Redis pub/sub between processes.

`socketify_chat.py PORT`.
"""

import sys
from typing import Any

from redis_relay import Relay
from socketify import App, AppListenOptions, OpCode

TOPIC = "room"


def main() -> None:
    app = App()
    relay = Relay(lambda text: app.publish(TOPIC, text, OpCode.TEXT))

    def message(socket: Any, text: str | bytes, opcode: int) -> None:
        relay.publish(text.encode() if isinstance(text, str) else text)

    app.ws(
        "/*",
        {
            "idle_timeout": 0,
            "send_pings_automatically": False,
            "max_payload_length": 1 << 16,
            "max_backpressure": 1 << 24,
            "open": lambda socket: socket.subscribe(TOPIC),
            "message": message,
        },
    )
    app.loop.create_background_task(relay.run)
    app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"))
    app.run()


if __name__ == "__main__":
    main()
