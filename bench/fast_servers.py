"""Peers that are strong where ours is not: a module of nginx, and two WebSocket servers that are compiled."""

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from bench.environment import ROOT
from bench.load_client import Sender
from bench.senders import HttpPoster
from bench.server import Side
from bench.servers import BENCH_PYTHON, PEERS

NCHAN_MODULE = "ngx_nchan_module.so"
NGINX_MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"), Path("/usr/share/nginx/modules"))
CONNECTIONS = 12_000  # Sockets that nginx has room for, its own among them.


class Nchan(Side):
    """nginx as one process, without a master. Messages are posted by HTTP requests and kept in its memory."""

    name = "nchan"
    label = "nchan (nginx), memory store"
    path = "/subscribe"
    uses_redis = False

    @classmethod
    def missing(cls) -> str | None:
        return None if nginx() and nchan_module() else "sudo apt-get install nginx libnginx-mod-nchan"

    def command(self) -> Sequence[str]:
        folder = self.ground.folder / f"nginx-{self.port}"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(nginx_config(folder, self.port, nchan_module() or Path(NCHAN_MODULE)))
        return (nginx() or "nginx", "-e", "stderr", "-p", str(folder), "-c", str(config))

    def poster(self) -> Sender:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return HttpPoster(connection, self.message, self.answers, self.mark.encode())

    def message(self, number: int) -> bytes:
        text = self.text(number).encode()
        head = f"POST /publish HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(text)}\r\n\r\n"
        return head.encode() + text


def nginx() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or shutil.which("nginx")


def nchan_module() -> Path | None:
    """The module's file as distributions install it."""
    return next((path for folder in NGINX_MODULES if (path := folder / NCHAN_MODULE).exists()), None)


def nginx_config(folder: Path, port: int, module: Path) -> str:
    """One process on `port` that writes nothing outside of `folder`, logs nothing, and never ends a connection."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f'    {kind}_temp_path "{folder / kind}";' for kind in kinds)
    return f"""\
load_module "{module}";
daemon off;
master_process off;
pid "{folder / "nginx.pid"}";
error_log stderr warn;
worker_rlimit_nofile {CONNECTIONS};
events {{
    worker_connections {CONNECTIONS};
}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
{temporary}
    server {{
        listen 127.0.0.1:{port} backlog=128;
        location = /publish {{
            nchan_publisher;
            nchan_channel_id room;
        }}
        location = /subscribe {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_channel_id room;
        }}
    }}
}}
"""


class Picows(Side):
    name = "picows"
    label = "picows + Redis pub/sub"
    program_name = "picows_chat.py"

    @classmethod
    def missing(cls) -> str | None:
        return None if is_installed(cls.name) else "make .venv-bench/.installed"

    def command(self) -> Sequence[str]:
        return (str(BENCH_PYTHON), str(PEERS / self.program_name), str(self.port))


class Socketify(Picows):
    """Its loop polls without rest while there is work and 10,000 turns more, which is in its CPU time.

    Its library needs libuv, which its package does not bring.
    """

    name = "socketify"
    label = "socketify (uWebSockets) + Redis pub/sub"
    program_name = "socketify_chat.py"
    polls = True

    @classmethod
    def missing(cls) -> str | None:
        if (command := super().missing()) is not None:
            return command
        return None if has_libuv() else "sudo apt-get install libuv1"


def is_installed(package: str) -> bool:
    """Whether the benchmark's own environment has it: one made before a peer was added has not."""
    return any((ROOT / ".venv-bench").glob(f"lib/python*/site-packages/{package}"))


def has_libuv() -> bool:
    folders = (Path("/lib"), Path("/usr/lib"), Path("/lib64"), Path("/usr/lib64"))
    return any(found for folder in folders for found in (*folder.glob("libuv.so.1"), *folder.glob("*/libuv.so.1")))
