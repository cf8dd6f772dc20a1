"""The case of lists: sockets that watch the rooms of their users, beside the same sockets that watch nothing."""

import contextlib
import dataclasses
import json
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import machine
from bench.environment import ROOT, Ground
from bench.frames import CLOSE, FrameReader, client_frame
from bench.handshakes import Dialog, connect
from bench.load_client import CLOSED, EVENTS, Broken
from bench.prepare_watch import SLUG
from bench.scenarios.fanout import Say
from bench.servers import Hubbub, kind_of
from bench.stats import Row, Table, latest, percentile

SOCKETS = 2_000
ROOMS = 200
ROOMS_EACH = 50
POSTS_PER_SECOND = 50
SECONDS = 20.0
LAST_SECONDS = 5.0
NAP_SECONDS = 0.02
LABELS = {"quiet": "in no list", "watching": "each watches its list"}


class Watching(Hubbub):
    """The members join their lists. The poster is a member of all rooms."""

    watches = True

    def join(self, index: int, room: str = "") -> Dialog:
        yield from self.enter(index)
        if self.watches:
            answer = yield client_frame('{"type":"join","ref":1,"topic":"rooms"}')
            while kind_of(answer) != "ok":
                answer = yield b""


class Quiet(Watching):
    """The same sockets, signed in."""

    watches = False


@dataclass
class Watched:
    """What the sockets have seen: when each post was sent, and how late it was shown."""

    sent: dict[tuple[str, int], float] = field(default_factory=dict)
    seen: list[dict[str, int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    frames: int = 0

    def take(self, socket_number: int, payload: bytes, now: float) -> None:
        frame = json.loads(payload)
        if frame["type"] != "moved":
            raise Broken(f"a watcher got {payload[:100]!r}")
        self.frames += 1
        seen = self.seen[socket_number]
        for room in frame["items"]:
            slug, last = room["slug"], room["last_seq"]
            for seq in range(seen.get(slug, 0) + 1, last + 1):
                self.waits.append(now - self.sent[slug, seq])
            seen[slug] = last

    def read(self, socket_number: int, reader: FrameReader, connection: socket.socket) -> None:
        if not (chunk := connection.recv(1 << 18)):
            raise Broken(CLOSED)
        for opcode, payload in reader.feed(chunk):
            if opcode == CLOSE:
                raise Broken(CLOSED)
            self.take(socket_number, payload, time.perf_counter())


class RoomPoster:
    """A member of all rooms who posts to rooms by chance. `seqs`: of the last message of each room."""

    def __init__(self, connection: socket.socket, seqs: dict[str, int], watched: Watched) -> None:
        self.posted: list[float] = []
        self.waits: list[float] = []
        self._connection = connection
        self._seqs = seqs
        self._watched = watched
        self._reader = FrameReader()
        self._chance = random.Random(2)

    def post(self, now: float) -> None:
        slug = SLUG.format(self._chance.randrange(ROOMS))
        seq = self._seqs[slug] = self._seqs.get(slug, 0) + 1
        self._watched.sent[slug, seq] = now
        self.posted.append(now)
        self._connection.sendall(_post(slug, len(self.posted)))

    def read(self) -> None:
        now = time.perf_counter()
        for _, payload in self._reader.feed(self._connection.recv(1 << 16)):
            answer = json.loads(payload)
            if answer["type"] == "error":
                raise Broken(f"a post was refused: {payload!r}")
            if answer["type"] == "ok":
                self.waits.append(now - self.posted[answer["ref"] - 1])


def watch(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """The same posts to rooms that nobody has open, with sockets that watch them and with sockets that do not."""
    ground = dataclasses.replace(ground, cookies=_prepare(ground))
    rows = {name: Row(name, label) for name, label in LABELS.items()}
    difference = Row("difference", "the watching")
    title = f"{SOCKETS:,} sockets that watch {ROOMS_EACH} of {ROOMS} rooms, {POSTS_PER_SECOND} posts a second"
    table = Table("watch", title, "core", [*rows.values(), difference])
    for number in range(rounds):
        kinds = (("quiet", Quiet), ("watching", Watching))
        for name, kind in kinds if number % 2 == 0 else kinds[::-1]:
            _measure(rows[name], kind(ground))
        for quantity in ("core", "post_ms"):
            watching, quiet = (rows[name].samples[quantity][-1] for name in ("watching", "quiet"))
            difference.add(**{quantity: watching - quiet})
        say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'core')}")
    return table


def _prepare(ground: Ground) -> list[str]:
    environ = ground.environ(ground.redis_socket("prepare"), DJANGO_SETTINGS_MODULE="project.settings")
    command = [sys.executable, "-m", "bench.prepare_watch", *map(str, (SOCKETS, ROOMS, ROOMS_EACH))]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)
    if ran.returncode:
        raise RuntimeError(f"the rooms could not be made: {ran.stderr[-2000:]}")
    cookies: list[str] = json.loads(ran.stdout)["cookies"]
    # The first is the poster's.
    return [ground.cookies[0], *cookies]


def _measure(row: Row, side: Watching) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(side.stop)
        side.start()
        [poster] = connect(("127.0.0.1", side.port), 1, side.enter)
        stack.enter_context(poster)
        before = machine.resident_bytes(side.pid)
        sockets = connect(("127.0.0.1", side.port), SOCKETS, lambda index: side.join(index + 1))
        for one in sockets:
            stack.enter_context(one)
        kib = (machine.resident_bytes(side.pid) - before) / SOCKETS / 1024
        row.add(**_run(side, poster, sockets), kib=kib)


def _run(side: Watching, poster: socket.socket, sockets: Sequence[socket.socket]) -> dict[str, float]:
    watched = Watched(seen=[{} for _ in sockets])
    # The rooms have messages of the rounds before: each post is its room's next.
    seqs = _last_seqs(poster)
    readers = {one.fileno(): (number, FrameReader()) for number, one in enumerate(sockets)}
    for number in range(len(sockets)):
        watched.seen[number] = dict(seqs)
    poster_of_rooms = RoomPoster(poster, seqs, watched)
    by_fd = {one.fileno(): one for one in sockets}
    poll = select.epoll()
    for one in (*sockets, poster):
        poll.register(one, select.EPOLLIN)
    cpu, began = machine.cpu_seconds(side.pid), time.perf_counter()
    with contextlib.closing(poll):
        while (now := time.perf_counter()) < began + SECONDS + LAST_SECONDS:
            due = began + len(poster_of_rooms.posted) / POSTS_PER_SECOND
            if began + SECONDS > now >= due:
                poster_of_rooms.post(now)
                continue
            for fd, _ in poll.poll(min(max(due - now, 0.0), NAP_SECONDS) or NAP_SECONDS, EVENTS):
                if fd == poster.fileno():
                    poster_of_rooms.read()
                else:
                    watched.read(*readers[fd], by_fd[fd])
    used = machine.cpu_seconds(side.pid) - cpu
    answers, posted = poster_of_rooms.waits, poster_of_rooms.posted
    if len(answers) != len(posted):
        raise Broken(f"{len(answers)} of {len(posted)} posts were answered")
    found = {"core": used / SECONDS * 100, "post_ms": percentile(answers, 50) * 1000}
    if side.watches:
        expected = len(posted) * SOCKETS * ROOMS_EACH / ROOMS
        if not 0.9 * expected < len(watched.waits) < 1.1 * expected:
            raise Broken(f"{len(watched.waits)} badges moved, about {expected:.0f} were expected")
        found |= {"p50_ms": percentile(watched.waits, 50) * 1000, "p99_ms": percentile(watched.waits, 99) * 1000}
        found["frames"] = watched.frames / len(sockets) / SECONDS
    return found


def _post(slug: str, number: int) -> bytes:
    message_id = f"00000000-0000-4000-8000-{random.getrandbits(48):012x}"
    fields = f'"ref":{number},"topic":"room/{slug}","id":"{message_id}","body":"Message {number}"'
    return client_frame(f'{{"type":"message.post",{fields}}}')


def _last_seqs(poster: socket.socket) -> dict[str, int]:
    """The last seq of each room, by the list of the poster, who is a member of all."""
    poster.setblocking(True)
    poster.sendall(client_frame('{"type":"state","ref":1,"topic":"rooms"}'))
    reader = FrameReader()
    while True:
        for _, payload in reader.feed(poster.recv(1 << 18)):
            frame = json.loads(payload)
            if frame.get("ref") == 1:
                return {room["slug"]: room["last_seq"] for room in frame["state"]["items"]}
