"""A document that is followed to the letter: its files are written, its shell lines run, its servers started."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.support.servers import COMMAND_SECONDS, ROOT, START_SECONDS, STOP_SECONDS, free_port

SERVERS = ("python manage.py up ", "python manage.py runserver ", "python -m hubbub.server ")
# The first line of a block: the path of its file, and whether it is added to that file.
FILE = re.compile(r"(?:# |\{# |// )(?P<path>[\w/.]+)(?P<adds>: add at the end)?(?: #\})?\n")

# `pip install` is replaced: the wheel is unpacked, and what it and its extras name is linked from the environment of
# the tests. So an environment needs no pip of its own, which takes three seconds, and no index of packages.
PRELUDE = r"""
set -euo pipefail
cd "$(cat "$STATE")"
if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi
python3() {
    if [ "$*" = "-m venv .venv" ]; then set -- -m venv --without-pip .venv; fi
    command python3 "$@"
}
pip() {
    [[ "$*" =~ ^"install django-hubbub["(server(,chat,monitor)?)"]"$ ]] ||
        { echo "pip $*: not what the test can install" >&2; exit 64; }
    packages=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    (cd "$ROOT" && "$TESTS_PYTHON" -m tests.support.packages "$WHEEL" "$packages" ${BASH_REMATCH[1]//,/ })
}
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """The code blocks of a page, in order: the language and the text."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert 2 * len(found) == len(re.findall(r"^```", page, re.MULTILINE))
    return found


def write(folder: Path, text: str) -> Path:
    """Write a block to the file that its first line names, or add it there. Returns the path."""
    named = FILE.match(text)
    assert named is not None, f"the block names no file: {text[:80]}"
    path = folder / named["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if named["adds"] else "") + text)
    return path


def is_ready(port: int) -> bool:
    """Whether a server answers on the port."""
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
        return True
    return False


class Walkthrough:
    """A folder in which a document is followed. Ports of the document become free ones."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self._ports: dict[str, int] = {}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[Path] = []
        self._state = folder.with_suffix(".cwd")
        self._state.write_text(os.fspath(folder))
        dropped = ("HUBBUB_", "PYTHON", "DJANGO_", "VIRTUAL_ENV")
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STATE": os.fspath(self._state),
            "WHEEL": os.fspath(wheel),
            "ROOT": os.fspath(ROOT),
            "TESTS_PYTHON": sys.executable,
        }

    def __enter__(self) -> "Walkthrough":
        return self

    def __exit__(self, *_: object) -> None:
        for port in [*self._servers]:
            self.stop(port)

    def stop(self, port: str) -> None:
        """Press Ctrl-C at the server with this port in the document, and wait for its end."""
        server = self._servers.pop(port)
        server.send_signal(signal.SIGINT)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise

    def follow(self, page: str) -> str:
        """Do what the page says, from its first block to its last. Returns the output of its shell lines."""
        output = ""
        for language, text in blocks(page):
            if language == "sh":
                output += self.shell(text)
            else:
                write(self._cwd, self._with_free_ports(text))
        return output

    def shell(self, text: str) -> str:
        """Run shell lines one after the other; a server goes on running. Returns their output."""
        lines = re.findall(r'(?:"[^"]*"|[^"\n])+', text)  # A quoted argument may have line ends.
        return "".join(self._serve(line) if line.startswith(SERVERS) else self._run(line) for line in lines)

    def url(self, address: str) -> str:
        """The address as it is during the test, of one in the document: `http://127.0.0.1:8000/people/`."""
        return self._with_free_ports(address)

    @property
    def output(self) -> str:
        """All that the servers have written so far."""
        return "".join(log.read_text() for log in self._logs)

    @property
    def _cwd(self) -> Path:
        return Path(self._state.read_text().strip())

    def _run(self, line: str) -> str:
        script = f'{PRELUDE}\n{self._with_free_ports(line)}\npwd > "$STATE"\n'
        ran = subprocess.run(
            ["bash", "-c", script],
            env=self._env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr

    def _serve(self, line: str) -> str:
        [port] = re.findall(r"(?:--port|-p|--noreload) (\d+)", line)
        log = self.folder.with_suffix(f".{len(self._logs)}.log")
        with log.open("wb") as output:
            # As in a terminal, also where the tests run in the background, which ignores Ctrl-C.
            started = f"exec env --default-signal=INT {self._with_free_ports(line)}"
            command = ["bash", "-c", f"{PRELUDE}\n{started}\n"]
            server = subprocess.Popen(command, env=self._env, cwd=self.folder, stdout=output, stderr=output)
        self._servers[port] = server
        self._logs.append(log)
        deadline = time.monotonic() + START_SECONDS
        while not (is_ready(self._ports[port]) and ("manage.py up" not in line or "Ready at" in log.read_text())):
            assert server.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return ""

    def _with_free_ports(self, text: str) -> str:
        for port in re.findall(r"\b80\d\d\b", text):
            self._ports.setdefault(port, free_port())
        return re.sub(r"\b80\d\d\b", lambda port: str(self._ports[port[0]]), text)
