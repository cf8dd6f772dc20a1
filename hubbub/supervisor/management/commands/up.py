"""`manage.py up`: run the whole site on this machine."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connections

from hubbub import conf
from hubbub.checks import (
    application_refusal,
    check_address,
    check_server_connections,
    check_serving,
    start_refusal,
)
from hubbub.process.extras import missing
from hubbub.process.ports import InUse, claim_port, lock_folder
from hubbub.process.redis_errors import cause_of
from hubbub.site.lease import REFUSALS, claim_at_start
from hubbub.supervisor import first_admin, private_redis
from hubbub.supervisor.child import Console
from hubbub.supervisor.command_program import ManagedCommand
from hubbub.supervisor.programs import CannotStart, ManagedProgram
from hubbub.supervisor.redis_program import ManagedRedis
from hubbub.supervisor.release import ReleaseFailed, release
from hubbub.supervisor.release_child import ReleaseChild
from hubbub.supervisor.supervisor import Supervisor, has_terminal
from hubbub.supervisor.web_program import ManagedWeb

# After an earlier run was killed, its web processes still close their sockets in order.
EARLIER_RUN_SECONDS = 20.0
# Beyond the waiting time of a release: to start, and to report why it failed.
RELEASE_EXTRA_SECONDS = 15.0
MAX_PROCESSES = 64
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(BaseCommand):
    help = 'Run the site on this machine: Redis, web processes on one port, and the programs of HUBBUB["PROGRAMS"].'

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processes", type=int, default=3, help="Web processes that share the port (3).")
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (127.0.0.1).")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on (8000); 0 for a free one.")
        parser.add_argument("--no-migrate", action="store_true", help="Do not apply migrations.")

    def handle(self, *, processes: int, host: str, port: int, no_migrate: bool, **options: Any) -> None:
        if not 1 <= processes <= MAX_PROCESSES:
            raise CommandError(f"--processes {processes}: must be 1 to {MAX_PROCESSES}.")
        if not 0 <= port <= 65535:
            raise CommandError(f"--port {port}: must be 0 to 65535.")
        if (line := missing("server", "daphne", "manage.py up")) is not None:
            raise CommandError(line)
        for line in (start_refusal(), *(message.msg for message in check_serving()), application_refusal()):
            if line:
                raise CommandError(line)
        for warning in check_address(host):
            self.stderr.write(str(warning), self.style.WARNING)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # No child runs yet that must be stopped in order.
        os.umask(0o077)  # Files that this run and its children create are for this user only.
        try:
            run_dir, lock = claim(data_folder())
        except (InUse, OSError) as error:
            raise CommandError(str(error)) from None
        try:
            self._run(run_dir, lock, processes, host, port, migrate=not no_migrate)
        except (CannotStart, InUse) as error:
            raise CommandError(str(error)) from None
        finally:
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # All is stopped: a second Ctrl-C must not show a traceback.
            private_redis.remove_run_dir(run_dir, data_folder())

    def _run(self, run_dir: Path, lock: int, processes: int, host: str, port: int, *, migrate: bool) -> None:
        port = claim_port(host, port)
        for leftover in run_dir.glob("*.sock"):
            leftover.unlink(missing_ok=True)  # From a run that was killed together with its processes.
        # A private Redis is started only where the settings name its socket.
        private = f"unix://{private_redis.socket_path(data_folder())}"
        binary = find_redis() if private == conf.settings().redis_url else None

        def leave(number: int, frame: object) -> None:
            # An exception could be swallowed where it is raised, or shown as a traceback.
            private_redis.remove_run_dir(run_dir, data_folder())
            os._exit(128 + number)

        had_terminal = has_terminal()

        def hang_up(number: int, frame: object) -> None:
            if had_terminal and not has_terminal():
                leave(number, frame)
            os.write(sys.stderr.fileno(), b"SIGHUP ignored during startup: send it again after Ready.\n")

        for number in STOP_SIGNALS:
            signal.signal(number, leave)  # Until the supervisor takes over.
        signal.signal(signal.SIGHUP, hang_up)
        self._prepare(processes, migrate=migrate)
        if binary is None:
            # Reported here in one line, instead of five times by each process.
            try:
                claim_at_start(self.stderr.write)
            except REFUSALS as error:
                raise CommandError(str(error)) from None
        console = Console()
        stages = plan_stages(
            console=console, lock=lock, run_dir=run_dir, binary=binary, processes=processes, host=host, port=port
        )
        supervisor = Supervisor(
            stages,
            console=console,
            announce=lambda: self._announce(console, stages, binary, host, port),
            release=release_child(console=console, lock=lock, migrate=migrate),
        )
        asyncio.run(supervisor.run())

    def _prepare(self, processes: int, *, migrate: bool) -> None:
        try:
            release(migrate=migrate, report=self.stderr.write)
            self._needs_admin = first_admin.is_needed()
            for warning in check_server_connections(processes):
                self.stderr.write(str(warning), self.style.WARNING)
        except ReleaseFailed as failed:
            raise CommandError(str(failed)) from failed
        except DatabaseError as error:
            raise CommandError(f"Database unavailable: {str(error).strip()}") from None
        finally:
            connections.close_all()

    def _announce(
        self,
        console: Console,
        stages: Sequence[Sequence[ManagedProgram]],
        binary: private_redis.Binary | None,
        host: str,
        port: int,
    ) -> None:
        running = [f"{program.name} ({program.child.pid})" for program in stages[-1] if program.child]
        lines = [
            f"Ready at {address(host, port)}",
            f"  database   {database_name()}",
            f"  redis      {redis_name(binary)}",
            f"  processes  {', '.join(running)}",
        ]
        # Created only now: a failed start would lose the password.
        if self._needs_admin and (text := first_admin.create_admin(console.print)):
            lines.append(f"  sign in    {text}")
        lines += [f"  admin      {address(host, port)}admin/", "Ctrl-C stops it."]
        console.print("\n".join(lines))


def claim(var_dir: Path) -> tuple[Path, int]:
    """Claim `var_dir` for this run.

    Returns:
        The folder of its sockets, and a lock on it that the children inherit.

    Raises:
        InUse: when another run uses `var_dir`.
    """
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock_folder(var_dir)  # Until this process ends.
    except InUse:
        raise InUse(f'Another run uses {var_dir}. Stop it first, or set another HUBBUB["VAR_DIR"].') from None
    run_dir = private_redis.make_run_dir(var_dir)
    try:
        return run_dir, lock_folder(run_dir, wait_seconds=EARLIER_RUN_SECONDS)
    except InUse:
        raise InUse(f"Processes of an earlier run still use {run_dir}. Stop them first.") from None


def find_redis() -> private_redis.Binary:
    binary = private_redis.find_binary()
    if binary is None:
        raise CommandError(private_redis.HOW_TO_INSTALL)
    return binary


def release_child(*, console: Console, lock: int, migrate: bool) -> ReleaseChild:
    return ReleaseChild(
        # Old processes use the new schema until they are replaced.
        ["release", "--additive", *([] if migrate else ["--no-migrate"])],
        console=console,
        environ=environment(),
        folder=site_folder(),
        lock=lock,
        seconds=conf.settings().release_seconds + RELEASE_EXTRA_SECONDS,
    )


def plan_stages(
    *,
    console: Console,
    lock: int,
    run_dir: Path,
    binary: private_redis.Binary | None,
    processes: int,
    host: str,
    port: int,
) -> list[list[ManagedProgram]]:
    """The programs to start, in stages: the private Redis, if any; then the web processes and the commands."""
    environ, folder = environment(), site_folder()
    module, _, name = settings.ASGI_APPLICATION.rpartition(".")
    # Probes use a UNIX socket, and still need a Host header that ALLOWED_HOSTS accepts.
    allowed_host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
    stages: list[list[ManagedProgram]] = []
    if binary is not None:
        path = run_dir / "redis.sock"
        stages.append(
            [
                ManagedRedis(
                    name="redis", console=console, environ=environ, folder=folder, lock=lock, binary=binary, path=path
                )
            ]
        )
    last_stage: list[ManagedProgram] = [
        ManagedWeb(
            name=f"web-{number}",
            console=console,
            environ=environ,
            folder=folder,
            lock=lock,
            application=f"{module}:{name}",
            host=host,
            port=port,
            run_dir=run_dir,
            allowed_host=allowed_host,
            is_alone=processes == 1,
            unresponsive_seconds=conf.settings().unresponsive_seconds,
        )
        for number in range(1, processes + 1)
    ]
    last_stage += [
        ManagedCommand(name=name, console=console, environ=environ, folder=folder, lock=lock, command=[*command])
        for name, command in conf.settings().programs.items()
    ]
    stages.append(last_stage)
    return stages


def data_folder() -> Path:
    """The folder of this site's data, which `check_serving` has found to be set."""
    folder = conf.settings().var_dir
    assert folder is not None
    return folder


def environment() -> dict[str, str]:
    """The environment of each child."""
    return {**os.environ, "REDIS_URL": conf.settings().redis_url, "PYTHONUNBUFFERED": "1"}


def site_folder() -> Path:
    """The working directory of the children: the project's folder, by the path that `up` was started with.

    That path may be a symbolic link. When a release changes the link, new children run the new code.
    """
    folder = Path(getattr(settings, "BASE_DIR", os.curdir)).resolve()
    for name in (os.environ.get("PWD", ""), os.path.dirname(os.path.abspath(sys.argv[0]))):
        if name and os.path.isdir(name) and os.path.samefile(name, folder):
            return Path(name)
    return folder


def address(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def database_name() -> str:
    database = connections["default"]
    return f"{database.display_name}, {database.settings_dict['NAME']}"


def redis_name(binary: private_redis.Binary | None) -> str:
    try:
        with redis.from_url(conf.settings().redis_url, socket_timeout=5) as client:
            info: dict[str, Any] = client.info("server")
    except redis.RedisError as error:
        return f"UNAVAILABLE ({cause_of(error)}): events arrive seconds late until it is back"
    version = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    if binary is None:
        return f"{version}, by REDIS_URL"
    return f"{version}, private" + (" (bundled: for development only)" if binary.is_bundled else "")
