"""Sides of one run are isolated; peers start, and each installed one works."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.environment import Ground, prepared
from bench.fast_servers import Nchan, Picows, Socketify, nginx_config
from bench.scenarios import fanout
from bench.server import Side
from bench.servers import Bare, BareC, FastApi, FastApiSaved, Hubbub, SocketIo, TutorialPubsub, kind_of

KINDS: tuple[type[Side], ...] = (
    *(Hubbub, TutorialPubsub, FastApi, FastApiSaved, SocketIo, Picows, Socketify, Nchan, Bare, BareC),
)
INSTALLED = [kind for kind in KINDS if kind.missing() is None]
MEMBERS = 5


def nothing(text: str) -> None:
    """Nobody is there to be told."""


@pytest.fixture
def bare_ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path, [], [])


def test_two_servers_of_one_kind_share_neither_redis_nor_channel_nor_mark(bare_ground: Ground) -> None:
    # Two FastAPI servers on one constant channel of one Redis had each message sent by both.
    plain, other = FastApi(bare_ground), FastApiSaved(bare_ground)
    for name in ("REDIS_URL", "REDIS_SOCKET", "BENCH_CHANNEL"):
        assert plain.environ()[name] != other.environ()[name]
    assert len({plain.mark, plain.script_mark, other.mark, other.script_mark}) == 4


def test_every_side_that_uses_redis_is_given_its_own(bare_ground: Ground) -> None:
    sides = [kind(bare_ground) for kind in KINDS]
    urls = [side.environ()["REDIS_URL"] for side in sides if side.uses_redis]
    assert len(set(urls)) == len(urls) == 7
    assert all(side.has_own_redis for side in sides if side.uses_redis)


def test_processes_of_one_site_share_its_redis(bare_ground: Ground, tmp_path: Path) -> None:
    sides = [Hubbub(bare_ground, redis_socket=tmp_path / "site.sock") for _ in range(2)]
    assert {side.environ()["REDIS_URL"] for side in sides} == {f"unix://{tmp_path}/site.sock"}
    assert not any(side.has_own_redis for side in sides)


def test_a_side_says_whether_it_signs_in_and_saves(bare_ground: Ground) -> None:
    said = {kind.name: (kind(bare_ground).row().signs_in, kind(bare_ground).row().saves) for kind in KINDS}
    assert said["hubbub"] == ("session cookie", "SQLite, by positions")
    assert said["fastapi-saved"] == ("no", "SQLite")
    assert said["nchan"] == said["picows"] == said["socketify"] == said["fastapi"] == ("no", "no")


def test_frames_of_ours_are_known_by_their_type_alone() -> None:
    assert kind_of(b'{"user":{"id":"b7"},"type":"hello","session":"1"}') == "hello"
    assert kind_of(b'{"type":"ok","ref":1,"more":true,"messages":[]}') == "ok"


def test_nginx_is_configured_to_write_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    config = nginx_config(tmp_path, 4321, Path("/modules/ngx_nchan_module.so"))
    assert 'load_module "/modules/ngx_nchan_module.so";' in config
    assert "listen 127.0.0.1:4321 backlog=128;" in config
    assert "master_process off;" in config
    assert "access_log off;" in config
    written = [line.split()[1].strip('";') for line in config.splitlines() if "_path" in line or "pid " in line]
    assert len(written) == 6
    assert all(Path(path).parent == tmp_path for path in written)


def test_nchan_is_started_on_its_own_config(bare_ground: Ground, tmp_path: Path) -> None:
    side = Nchan(bare_ground)
    command = side.command()
    folder = tmp_path / f"nginx-{side.port}"
    assert list(command[1:]) == ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    assert f"127.0.0.1:{side.port}" in (folder / "nginx.conf").read_text()


def test_a_post_to_nchan_is_one_http_request(bare_ground: Ground) -> None:
    side = Nchan(bare_ground)
    head, _, body = side.message(7).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /publish HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.decode() == side.text(7)


@pytest.mark.parametrize(("kind", "program"), [(Picows, "picows_chat.py"), (Socketify, "socketify_chat.py")])
def test_a_peer_in_python_is_started_by_its_own_interpreter(
    bare_ground: Ground, kind: type[Side], program: str
) -> None:
    side = kind(bare_ground)
    interpreter, path, port = side.command()
    assert interpreter.endswith(".venv-bench/bin/python")
    assert Path(path).name == program
    assert Path(path).is_file()
    assert port == str(side.port)


def test_a_missing_peer_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.fast_servers.NGINX_MODULES", ())
    monkeypatch.setattr("bench.fast_servers.ROOT", Path("/nonexistent"))
    said: list[str] = []
    assert fanout.installed((Nchan, Picows, Socketify, Hubbub), said.append) == [Hubbub]
    assert [line.rpartition("Install it: ")[2] for line in said] == [
        "sudo apt-get install nginx libnginx-mod-nchan",
        "make .venv-bench/.installed",
        "make .venv-bench/.installed",
    ]


def test_only_the_sides_that_are_asked_for_take_part() -> None:
    assert fanout.installed((Hubbub, Bare), nothing, ["hubbub"]) == [Hubbub]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with prepared() as made:
        yield made


@pytest.mark.cluster
@pytest.mark.parametrize("kind", INSTALLED, ids=lambda kind: kind.name)
def test_an_installed_side_delivers_bursts_and_lone_messages_to_all(ground: Ground, kind: type[Side]) -> None:
    with fanout.lanes(ground, [kind], MEMBERS, nothing, room="bench-2") as running:
        for lane in running:
            with lane.counted():
                lane.settle()
                burst = lane.members.burst(lane.sender, numbers := lane.numbers(100))
                assert burst.problem is None
                lane.check(burst.payloads, numbers)
            for _ in range(2):
                with lane.counted():
                    lane.settle()
                    waits, payload = lane.members.single(lane.sender, number := lane.numbers(1).start)
                    lane.check([payload], range(number, number + 1))
                    assert len(waits) == MEMBERS
    assert [lane.row.problems for lane in running] == [[] for _ in running]


@pytest.mark.cluster
def test_a_foreign_message_on_the_sides_channel_is_an_error_of_its_round(ground: Ground) -> None:
    # As it was when two servers had one Redis and one channel: here a foreign message comes by the side's Redis.
    with fanout.lanes(ground, [Hubbub], MEMBERS, nothing, room="bench-3") as running:
        posted, published = running
        foreign = fanout.script(posted.side)
        try:
            foreign.begin(range(1))
            wait_for_bytes(posted)
            fanout.burst(posted, MEMBERS)
            fanout.burst(published, MEMBERS)
        finally:
            foreign.close()
    assert posted.row.problems[0].startswith(f"strays: {MEMBERS} members had")
    assert "rate" not in posted.row.samples
    assert published.row.problems == []
    assert published.row.samples["rate"]


def wait_for_bytes(lane: fanout.Lane) -> None:
    deadline = time.monotonic() + 20
    while not lane.members.has_something():
        assert time.monotonic() < deadline
        time.sleep(0.01)
