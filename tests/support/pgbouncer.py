"""A private PgBouncer in a temporary folder, in transaction mode, in front of a private PostgreSQL."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgresql import PostgreSQL, end_with_parent
from tests.support.servers import ROOT

START_SECONDS = 10.0
DOCUMENT = ROOT / "docs" / "settings.md"
PORT = 6432  # In the name of its UNIX socket, which lies in its own folder.


class PgBouncer:
    """A context manager. As root it uses the account of PostgreSQL, since PgBouncer refuses root.

    Args:
        server: the PostgreSQL behind it.
        pool_size: server connections of each database.
        limited: names of new databases with the connect_query of docs/settings.md.
        unlimited: names of new databases without it.
    """

    def __init__(
        self, server: PostgreSQL, *, pool_size: int, limited: Sequence[str], unlimited: Sequence[str] = ()
    ) -> None:
        binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        assert binary, "PgBouncer is missing: sudo apt-get install pgbouncer"
        self._binary = binary
        self._account = server.account
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-pb-"))
        query, settings = documented()
        place = f"host={server.folder} user=hubbub"
        for name in (*limited, *unlimited):
            server.create(name)
        lines = [
            "[databases]",
            *(f"{name} = {place} {query}" for name in limited),
            *(f"{name} = {place}" for name in unlimited),
            "[pgbouncer]",
            re.sub(r"(?m)^default_pool_size = .*", f"default_pool_size = {pool_size}", settings),
            f"unix_socket_dir = {self.folder}",
            f"listen_port = {PORT}",
            "auth_type = any",
            "admin_users = hubbub",
            "max_client_conn = 200",
        ]
        (self.folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        if self._account:
            shutil.chown(self.folder, self._account["user"])

    def __enter__(self) -> "PgBouncer":
        try:
            with (self.folder / "log").open("w") as log:
                self._process = subprocess.Popen(
                    [self._binary, "pgbouncer.ini"],
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    preexec_fn=end_with_parent,
                    **self._account,
                )
            deadline = time.monotonic() + START_SECONDS
            while not (self.folder / f".s.PGSQL.{PORT}").exists():
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(START_SECONDS)
        finally:
            shutil.rmtree(self.folder)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def url(self, name: str) -> str:
        return f"postgres://hubbub@{str(self.folder).replace('/', '%2F')}:{PORT}/{name}"

    def show(self, what: str, name: str) -> list[dict[str, Any]]:
        """The rows of an answer of its console that are of this database."""
        with closing(psycopg.connect(self.url("pgbouncer"), autocommit=True)) as console:
            answer = psycopg.ClientCursor(console, row_factory=psycopg.rows.dict_row).execute(f"SHOW {what}")
            return [row for row in answer.fetchall() if row["database"] == name]


def documented() -> tuple[str, str]:
    """The connect_query and the settings of the configuration in docs/settings.md."""
    block = re.search(r"(?m)^    \[databases\]\n((?:    .*\n|\n)+)", DOCUMENT.read_text())
    assert block
    databases, _, settings = re.sub("(?m)^    ", "", block[1]).partition("[pgbouncer]")
    query = re.search("connect_query='(?:[^']|'')*'", databases)
    assert query
    return query[0], settings
