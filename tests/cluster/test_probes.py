"""`/healthz`, `/readyz` and `/counters` of real processes: any Host, during faults, under load."""

import http.client
import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hubbub.process.metrics import report
from tests.hubbub.test_redis_errors import server as redis_server
from tests.support.cluster import Cluster
from tests.support.servers import ROOT, Server, Site, free_port

pytestmark = pytest.mark.cluster


def get(url: str, path: str, host: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    with closing(connection):
        connection.putrequest(method, path, skip_host=host is not None)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def get_privately(path: Path, request: str) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(f"{request}\r\nConnection: close\r\n\r\n".encode())
        text = b""
        while chunk := connection.recv(65_536):
            text += chunk
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def readiness(server: Server) -> tuple[int, dict[str, str]]:
    status, _, body = get(server.url, "/readyz")
    return status, json.loads(body)


@pytest.mark.parametrize("host", ["10.42.8.201:8400", "anything.example", "a b", ""])
def test_probes_answer_whatever_the_host(cluster: Cluster, host: str) -> None:
    for path in ("/healthz", "/readyz"):
        status, headers, _ = get(cluster.url, path, host)
        assert status == 200
        assert "no-store" in headers["cache-control"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_a_process_that_is_well_says_so(cluster: Cluster) -> None:
    assert get(cluster.url, "/healthz")[2] == b"ok"
    readings = json.loads(get(cluster.url, "/readyz")[2])
    assert readings.pop("process").startswith("web-")
    assert readings == dict.fromkeys(("state", "database", "redis", "migrations", "disk"), "ok")


def test_probes_are_only_read(cluster: Cluster) -> None:
    assert get(cluster.url, "/healthz", method="HEAD")[::2] == (200, b"")
    assert get(cluster.url, "/healthz", method="POST")[0] == 405
    assert get(cluster.url, "/healthz/")[0] == 404


def test_counters_are_read_on_the_unix_socket_and_nowhere_else(cluster: Cluster) -> None:
    path = cluster.sockets["web-1"]
    status, body = get_privately(path, "GET /counters HTTP/1.1\r\nHost: x")
    assert status == 200
    counters = json.loads(body)
    assert counters["process"] == "web-1"
    assert counters["counters"].keys() == report("").counters.keys()
    assert get(cluster.url, "/counters")[0] == 404
    forwarded = "GET /counters HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7"
    assert get_privately(path, forwarded)[0] == 404


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir(mode=0o700)
    return Site(folder)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["maxmemory 1", "maxmemory-policy noeviction"], "out of memory"),
        (["replicaof 127.0.0.1 1"], "read-only"),
        (["requirepass secret"], "authentication failed"),
    ],
)
def test_a_redis_that_refuses_writes_is_reported_with_its_cause(
    site: Site, tmp_path: Path, lines: list[str], words: str
) -> None:
    with redis_server(tmp_path, *lines) as path, site.serving("hubbub", 1, REDIS_URL=f"unix://{path}") as (server,):
        status, reading = readiness(server)
        assert (status, reading["state"]) == (200, "degraded")
        assert words in reading["redis"]


def test_a_redis_cluster_is_refused_in_one_sentence(site: Site, tmp_path: Path) -> None:
    ports = (f"port {free_port()}", f"cluster-port {free_port()}")
    with redis_server(tmp_path, *ports, "cluster-enabled yes", "cluster-config-file nodes.conf") as path:
        for command in (["manage.py", "up", "--port", "0"], ["-m", "hubbub.server", "project.asgi:application"]):
            ran = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=site.env | {"REDIS_URL": f"unix://{path}", "DJANGO_SETTINGS_MODULE": "project.settings"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ran.returncode == 1
            assert "it is a Redis Cluster, which is not supported" in ran.stderr
            assert ran.stderr.count("\n") == 1


def test_pending_migrations_are_reported(site: Site) -> None:
    site.manage("migrate", "chat", "zero", "-v0")
    with site.serving("hubbub", 1) as (server,):
        status, reading = readiness(server)
        assert (status, reading["state"]) == (503, "unavailable")
        assert "chat." in reading["migrations"]
        assert "is not applied" in reading["migrations"]


def test_404s_with_15_kb_paths_leave_a_small_log(site: Site) -> None:
    with site.serving("hubbub", 1) as (server,):
        for number in range(300):
            assert get(server.url, f"/{number}" + "a" * 15_000)[0] == 404
        text = server.log.read_text()
        assert len(text) < 300_000
        assert "Not Found: /0a" in text
        assert max(map(len, text.splitlines())) < 1_300


def test_files_in_the_data_folder_are_for_their_owner_only(new_cluster: Cluster) -> None:
    made = [path for path in new_cluster.folder.rglob("*") if path.exists() and "static" not in path.parts]
    assert {"hubbub.sqlite3", "secret_key"} <= {path.name for path in made}
    assert [path.name for path in made if path.lstat().st_mode & 0o077] == []
    new_cluster.folder.chmod(0o755)
    command = [sys.executable, "manage.py", "check"]
    ran = subprocess.run(command, cwd=ROOT, env=new_cluster.env, capture_output=True, text=True, timeout=60)
    assert "hubbub.W008" in ran.stderr
