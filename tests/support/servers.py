"""Real server processes for tests: a site (database, Redis, settings) and its servers."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from socket import create_server

import msgspec

from hubbub.conf import Hubbub
from hubbub.supervisor.release_files import LISTS
from project.tunables import env_name
from tests.support.warm import warm

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 25.0
COMMAND_SECONDS = 60.0

# Clients in tests are quicker than people, and one user stands for many. Other tests check the limits.
RAISED_LIMITS = {
    f"HUBBUB_{name}": "100000"
    for name in (
        *("POSTS_PER_SECOND", "POSTS_BURST", "COMMANDS_PER_SECOND", "COMMANDS_BURST", "REFUSED_COMMANDS"),
        *("MAX_SOCKETS_PER_USER", "MAX_UNAUTHENTICATED"),
    )
}

# Settings that decide the tables and static files of a site.
KIND_OF_SITE = ("DJANGO_SETTINGS_MODULE", "FOREIGN_USER_MODEL")

# The defaults of docs/settings.md, for a server of such a site.
DEFAULT_LIMITS = {
    env_name(field.name): str(field.default)
    for field in msgspec.structs.fields(Hubbub)
    if env_name(field.name) in RAISED_LIMITS
}

KINDS = {
    "hubbub": ["-m", "hubbub.server", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{application}"],
    "daphne": ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{application}"],
    "uvicorn": [
        *("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
        *("--ws", "websockets-sansio", "{application}"),
    ],
    "gunicorn": [
        *("-m", "gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "127.0.0.1:{port}", "--log-level", "warning"),
        *("--no-control-socket", "{application}"),
    ],
    "hypercorn": ["-m", "hypercorn", "-b", "127.0.0.1:{port}", "--log-level", "warning", "{application}"],
    "granian": [
        *("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
        "{application}",
    ],
}
for _kind in ("uvicorn", "gunicorn", "hypercorn", "granian"):
    KINDS[f"{_kind} with 2 workers"] = [*KINDS[_kind][:-1], "--workers", "2", KINDS[_kind][-1]]

# Pages by WSGI: workers are forked before or after the import of the application.
_PAGES = ["-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket"]
KINDS["gunicorn for pages"] = [*_PAGES, "{application}"]
KINDS["gunicorn for pages, preloaded"] = [*_PAGES, "--preload", "{application}"]
KINDS["gunicorn for pages, one request a worker"] = [*_PAGES, "--max-requests", "1", "{application}"]

# The same as `ulimit -n 300` and `ulimit -Sn 256` before the command.
_LIMITED = """
import os, resource, sys
limit = eval(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit[0], limit[1] or resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
KINDS["hubbub with 300 descriptors"] = ["-c", _LIMITED, "(300, 300)", *KINDS["hubbub"]]
KINDS["hubbub with a soft limit of 256"] = ["-c", _LIMITED, "(256, None)", *KINDS["hubbub"]]


# Shared by all sites. A test process may end without atexit: see tests/conftest.py.
resources = ExitStack()
resources.callback(warm.close)
atexit.register(resources.close)


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def command_of(kind: str) -> list[str]:
    """The arguments of `python`. `hubbub on PATH` listens on a UNIX socket as well."""
    if kind.startswith("hubbub on "):
        return [*KINDS["hubbub"][:-1], "-u", kind.removeprefix("hubbub on "), KINDS["hubbub"][-1]]
    return KINDS[kind]


class Server:
    """One server process."""

    def __init__(
        self,
        site: "Site",
        kind: str,
        name: str,
        application: str = "project.asgi:application",
        *,
        port: int = 0,
        **settings: str,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = site.folder / f"{name}.log"
        command = [
            sys.executable,
            *(
                part.replace("{port}", str(self.port)).replace("{application}", application)
                for part in command_of(kind)
            ),
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=site.root, env=site.env | settings | {"HUBBUB_PROCESS": name}, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()}"
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                    assert answer.status == 200
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")

    def lost_its_port(self) -> bool:
        """Wait until the server is ready. Returns True if another process has taken its port."""
        try:
            self.wait_until_ready()
        except AssertionError:
            if "in use" in self.log.read_text().lower():
                self.process.wait()
                return True
            raise
        return False

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def run(arguments: Sequence[str], env: dict[str, str], root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `python` with these arguments in a site's environment. `root`: the project, or a copy of it."""
    env = {"DJANGO_SETTINGS_MODULE": "project.settings"} | env
    if arguments[0] != "-m" and env.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):
        return warm.run(arguments, env, COMMAND_SECONDS, root)
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=COMMAND_SECONDS
    )


@cache
def new_site(settings: tuple[tuple[str, str], ...]) -> Path:
    """A template folder: database and static files of a new site, after its first release."""
    folder = Path(tempfile.mkdtemp(prefix="hubbub-new-"))
    resources.callback(shutil.rmtree, folder, ignore_errors=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")} | dict(settings)
    env |= {"HUBBUB_VAR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3"}
    made = run(["manage.py", "release", "-v0"], env)
    assert made.returncode == 0, made.stderr
    return folder


def fill(folder: Path, database: str, settings: Mapping[str, str]) -> None:
    """Copy the template's static files and SQLite database into `folder`, unless they are there."""
    new = new_site(tuple((name, settings[name]) for name in KIND_OF_SITE if name in settings))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "static").exists():
        shutil.copytree(new / "static", folder / "static", copy_function=link)
    if "DATABASE_URL" not in settings and not (folder / database).exists():
        shutil.copy(new / "site.sqlite3", folder / database)


def link(source: str, target: str) -> None:
    """Link static files, which are never changed in place; copy the lists, which processes lock."""
    if LISTS not in Path(source).parts:
        with suppress(OSError):  # Another file system.
            os.link(source, target)
            return
    shutil.copy2(source, target)


class Site:
    """A site with its own database, on the Redis of all tests."""

    root = ROOT  # The project, or a copy of it.

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
        self.env |= RAISED_LIMITS | {"HUBBUB_VAR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3"}
        self.env |= settings
        fill(folder, "site.sqlite3", settings)
        if "DATABASE_URL" in settings:
            self.manage("migrate", "-v0")

    def manage(self, *arguments: str) -> str:
        return self._run("manage.py", *arguments)

    def shell(self, code: str) -> str:
        """Run Python code in the site's Django; return its output."""
        return self._run("-c", "import django\ndjango.setup()\n" + textwrap.dedent(code))

    def _run(self, *arguments: str) -> str:
        ran = run(arguments, self.env, self.root)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def make_user(self, name: str, permission: str = "", **more: str) -> dict[str, str]:
        """Make a user; return {"cookie": …, "token": …, "id": …}. `more`: further fields of the model."""
        cookie, token, user_id = self.shell(
            f"""
            from importlib import import_module
            from django.conf import settings
            from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
            from django.contrib.auth.models import Permission
            from hubbub.auth.tokens import create_token
            users = get_user_model()
            user, _ = users._default_manager.get_or_create(**{{users.USERNAME_FIELD: {name!r}}}, defaults={more!r})
            if {permission!r}:
                user.user_permissions.add(Permission.objects.get(codename={permission!r}))
            session = import_module(settings.SESSION_ENGINE).SessionStore()
            session[SESSION_KEY] = user._meta.pk.value_to_string(user)
            session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()
            print(session.session_key, create_token(user=user, name="test", expires_at=None)[1], session[SESSION_KEY])
            """
        ).split()
        return {"cookie": cookie, "token": token, "id": user_id}

    @contextmanager
    def serving(
        self, kind: str, count: int, application: str = "project.asgi:application", **settings: str
    ) -> Iterator[list[Server]]:
        """Run `count` servers of a kind, with `settings` added to the site's, and wait until they are ready."""
        servers = [Server(self, kind, f"web-{number}", application, **settings) for number in range(1, count + 1)]
        try:
            for number, server in enumerate(servers):
                if server.lost_its_port():
                    servers[number] = Server(self, kind, f"web-{number + 1}", application, **settings)
                    servers[number].wait_until_ready()
            yield servers
        finally:
            for server in servers:
                if server.process.poll() is None:
                    server.stop()
