"""The bound for Python: sockets, and a loop that calls `send` on each. `python bare.py PORT` reads standard input.

`burst MARK FIRST LAST SIZE`: to every socket so many frames of so many bytes, one `send` per socket and frame; it
answers with the time at which it began. `more …` does the same without an answer.
"""

import socket
import struct
import sys
import threading
import time

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def main() -> None:
    members: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
    threading.Thread(target=accept, args=(listener, members), daemon=True).start()
    for line in sys.stdin:
        word, mark, first, last, size = line.split()
        if word == "burst":
            print(time.perf_counter(), flush=True)
        sends = [member.send for member in members]
        for number in range(int(first), int(last)):
            frame = frame_of(mark, number, int(size))
            for send in sends:
                send(frame)


def accept(listener: socket.socket, members: list[socket.socket]) -> None:
    while True:
        connection, _ = listener.accept()
        request = b""
        while chunk := connection.recv(4096):
            request += chunk
            if request.endswith(b"\r\n\r\n"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(ANSWER)
                members.append(connection)
                break
        else:
            connection.close()


def frame_of(mark: str, number: int, size: int) -> bytes:
    payload = f"{mark}{number:08d}.".ljust(size, "x").encode()
    return struct.pack("!BBH", 0x81, 126, size) + payload if size > 125 else struct.pack("!BB", 0x81, size) + payload


if __name__ == "__main__":
    main()
