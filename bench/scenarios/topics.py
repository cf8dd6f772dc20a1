"""What topics cost: `python -m bench.scenarios.topics`.

A state with 1,000 changes in a burst to 2,000 sockets; and 5,000 sockets, each with a topic of its own.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from bench import machine
from bench.environment import ROOT, prepared
from bench.frames import TEXT, FrameReader, client_frame
from bench.handshakes import Dialog, connect
from bench.load_client import EVENTS, STALL_SECONDS, Broken
from bench.servers import Hubbub, kind_of
from bench.stats import median, short

SOCKETS = 2_000
CHANGES = 1_000
OWN_TOPICS = 5_000
IDLE_SECONDS = 20.0
ROUNDS = 3


class TopicsSite(Hubbub):
    application = "bench.topics_site.asgi:application"

    def environ(self) -> dict[str, str]:
        return super().environ() | {"DJANGO_SETTINGS_MODULE": "bench.topics_site.settings"}

    def joined(self, topic: Callable[[str, int], str], index: int) -> Dialog:
        """Signed in, and a member of `topic(user's id, index)`."""
        yield self.request("/ws/topics/", index)
        hello = yield b""
        address = topic(json.loads(hello)["user"]["id"], index)
        answer = yield client_frame(f'{{"type":"join","ref":1,"topic":"{address}"}}')
        if kind_of(answer) != "ok":
            raise Broken(f"not joined: {answer[:200]!r}")

    def open(self, count: int, topic: Callable[[str, int], str]) -> list[socket.socket]:
        return connect(("127.0.0.1", self.port), count, lambda index: self.joined(topic, index))


class Reader:
    """Reads the sockets until each has the state of the last change."""

    def __init__(self, sockets: Sequence[socket.socket], last: int) -> None:
        self._sockets = {each.fileno(): (each, FrameReader()) for each in sockets}
        self._last = last
        self.frames = dict.fromkeys(self._sockets, 0)
        self.bytes = 0

    def read(self) -> None:
        missing = set(self._sockets)
        poll = select.epoll()
        for fd in missing:
            poll.register(fd, select.EPOLLIN)
        while missing:
            events = poll.poll(STALL_SECONDS, EVENTS)
            if not events:
                raise Broken(f"{len(missing)} of {len(self._sockets)} sockets have not got the last state")
            for fd, _ in events:
                each, reader = self._sockets[fd]
                for opcode, payload in reader.feed(each.recv(1 << 18)):
                    self.bytes += len(payload)
                    if opcode == TEXT and payload.startswith(b'{"type":"changed"'):
                        self.frames[fd] += 1
                        if json.loads(payload)["position"] == self._last:
                            missing.discard(fd)
        poll.close()


def burst(side: TopicsSite) -> dict[str, float]:
    """One burst of changes: frames to each socket, and the server's CPU time."""
    sockets = side.open(SOCKETS, lambda user_id, index: "counter")
    time.sleep(side.settle_seconds)
    first = _position(side)
    cpu = machine.cpu_seconds(side.pid)
    command = [sys.executable, "-m", "bench.topics_site.burst", str(CHANGES)]
    script = subprocess.Popen(command, cwd=ROOT, env=side.environ(), stdout=subprocess.PIPE, text=True)
    reader = Reader(sockets, first + CHANGES)
    reader.read()
    cpu = machine.cpu_seconds(side.pid) - cpu
    seconds = float(script.communicate(timeout=60)[0])
    frames = sum(reader.frames.values())
    for each in sockets:
        each.close()
    return {"seconds": seconds, "frames": frames / SOCKETS, "cpu": cpu, "delivery_us": cpu / frames * 1e6}


def own_topics(side: TopicsSite) -> dict[str, float]:
    """Sockets in one topic, then each in a topic of its own: memory, idle CPU time, and until all are back."""
    found: dict[str, float] = {}
    for name, topic in (
        ("shared", lambda user_id, index: "counter"),
        ("own", lambda user_id, index: f"mine/{user_id}-{index}"),
    ):
        side.start()
        for each in side.open(50, topic):
            each.close()
        time.sleep(1.0)
        before = machine.resident_bytes(side.pid)
        began = time.perf_counter()
        sockets = side.open(OWN_TOPICS, topic)
        found[f"{name} joined"] = time.perf_counter() - began
        time.sleep(side.settle_seconds)
        found[f"{name} kib"] = (machine.resident_bytes(side.pid) - before) / OWN_TOPICS / 1024
        cpu = machine.cpu_seconds(side.pid)
        time.sleep(IDLE_SECONDS)
        found[f"{name} idle"] = (machine.cpu_seconds(side.pid) - cpu) / IDLE_SECONDS
        side.stop()
        for each in sockets:
            each.close()
        side.start()
        began = time.perf_counter()
        sockets = side.open(OWN_TOPICS, topic)
        found[f"{name} back"] = time.perf_counter() - began
        for each in sockets:
            each.close()
        side.stop()
    return found


def _position(side: TopicsSite) -> int:
    """The position of the counter before the burst."""
    at: list[int] = []

    def join(index: int) -> Dialog:
        yield side.request("/ws/topics/", index)
        yield b""
        answer = yield client_frame('{"type":"join","ref":1,"topic":"counter"}')
        at.append(json.loads(answer)["position"])

    for each in connect(("127.0.0.1", side.port), 1, join):
        each.close()
    return at[0]


def main() -> None:
    machine.raise_descriptor_limit()
    with prepared() as ground:
        side = TopicsSite(ground)
        side.start()
        burst(side)  # To warm up.
        bursts = [burst(side) for _ in range(ROUNDS)]
        side.stop()
        print(f"{CHANGES:,} changes of one state in a burst, {SOCKETS:,} sockets, {ROUNDS} rounds:")
        for name, label in (
            ("seconds", "seconds of the burst"),
            ("frames", "frames to each socket"),
            ("cpu", "CPU time of the server, s"),
            ("delivery_us", "CPU time of a delivery, µs"),
        ):
            print(f"  {label}: {short(median([each[name] for each in bursts]))}")
        found = own_topics(TopicsSite(ground))
        print(f"{OWN_TOPICS:,} sockets:")
        for name, label in (("shared", "all in one topic"), ("own", "each in a topic of its own")):
            kib, back = short(found[f"{name} kib"]), short(found[f"{name} back"])
            idle, joined = f"{100 * found[f'{name} idle']:.1f} %", short(found[f"{name} joined"])
            print(f"  {label}: {kib} KiB each, {idle} of a core idle, joined in {joined} s, back in {back} s")


if __name__ == "__main__":
    main()
