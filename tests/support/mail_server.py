"""A minimal mail server on a local port that receives mails."""

import email
import email.policy
import queue
import socketserver
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import cast


@dataclass
class Mail:
    recipients: list[str]
    text: str


class MailServer:
    """`is_held`: while set, connections wait. `received`: all mails so far."""

    def __init__(self) -> None:
        self.received: list[Mail] = []
        self.is_held = threading.Event()
        self._arrived: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while outer.is_held.is_set():
                    threading.Event().wait(0.01)
                outer._converse(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = cast(tuple[str, int], self._server.server_address)

    def __enter__(self) -> "MailServer":
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_held.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> Mail:
        """Wait for the next mail."""
        return self._arrived.get(timeout=20)

    def _converse(self, handler: socketserver.StreamRequestHandler) -> None:
        def say(text: str) -> None:
            handler.wfile.write(f"{text}\r\n".encode())

        say("220 here")
        recipients: list[str] = []
        while line := handler.rfile.readline():
            command = line.decode().strip()
            match command.split()[0].upper():
                case "RCPT":
                    recipients.append(command.partition("<")[2].partition(">")[0])
                    say("250 ok")
                case "DATA":
                    say("354 go on")
                    data = b""
                    while (line := handler.rfile.readline()) not in (b".\r\n", b""):
                        data += line
                    message = email.message_from_bytes(data, policy=email.policy.default)
                    mail = Mail(recipients, cast(EmailMessage, message).get_content())
                    self.received.append(mail)
                    self._arrived.put(mail)
                    say("250 ok")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")
