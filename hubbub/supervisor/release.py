"""One release: apply the migrations of this code, then install its static files.

`manage.py release` and the start of `manage.py up` run it; on SIGHUP `up` runs it before it replaces processes. It may
be repeated at any time, also while processes of the previous release run: an interrupted migration is rolled back. One
with `atomic = False` is not, and may need a repair by hand: see docs/releases.md.
"""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from hubbub import conf
from hubbub.process.ports import InUse
from hubbub.supervisor.additive import find_problems
from hubbub.supervisor.release_files import install_static_files
from hubbub.supervisor.release_lock import Busy, release_lock

# While a migration waits for a table, later statements wait behind it: a post waits a second at most.
MIGRATION_LOCK_MS = 200
MIGRATION_LIMITS = {
    "lock_timeout": MIGRATION_LOCK_MS,
    "statement_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
}
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)  # The last one repeats.
LOCK_STATES = ("55P03", "40P01")  # PostgreSQL: lock_not_available, deadlock_detected.
SQLITE_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
NICENESS = 10

Report = Callable[[str], None]


class ReleaseFailed(Exception):
    """A step of the release failed. The text has the step, the reason and the remedy, in one line."""


def release(
    *, migrate: bool = True, must_be_additive: bool = False, low_priority: bool = False, report: Report
) -> None:
    """Update the database and the static files to this code.

    Args:
        migrate: whether to apply migrations.
        must_be_additive: refuse migrations that break running processes of the previous release.
        low_priority: lower the priority of this process after the migrations.
        report: receives a line for each thing that the release waits for.

    Raises:
        ReleaseFailed: when a step fails.
    """
    seconds = conf.settings().release_seconds
    deadline = time.monotonic() + seconds
    with _step("the release lock", "Run the release again when the database is available."), _locked(seconds, report):
        if migrate:
            _migrate(deadline, must_be_additive=must_be_additive, report=report)
        connections.close_all()
        if low_priority:
            os.nice(NICENESS)
        with _step("static files", "Pages use the previous files. Fix the error and run the release again."):
            install_static_files(wait_seconds=max(0.0, deadline - time.monotonic()))


def pending_migrations() -> list[tuple[str, str]]:
    """Return the migrations that are not applied yet, as (app, name), in order."""
    return [(migration.app_label, migration.name) for migration, _ in _executor_and_plan()[1]]


def pending_problems() -> list[str]:
    """Return why pending migrations break running processes of the previous release; empty if they do not."""
    executor, plan = _executor_and_plan()
    if not plan:
        return []
    return find_problems([(migration.app_label, migration.name) for migration, _ in plan], executor.loader)


def _migrate(deadline: float, *, must_be_additive: bool, report: Report) -> None:
    if must_be_additive:
        with _step("migrations", "Nothing was changed."):
            problems = pending_problems()
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise ReleaseFailed(
                f"not additive: {problems[0]}{more}. Running processes would fail: stop the site, and start it again."
            )
    with _step("migrations", "Earlier migrations stay applied. Fix the error and run the release again."):
        for number in itertools.count():
            try:
                with _short_waits_for_locks():
                    call_command("migrate", verbosity=0, interactive=False)
                return
            except OperationalError as error:
                pause = RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)]
                if not _is_locked(error) or time.monotonic() + pause > deadline:
                    raise
                if number == 0:
                    report("a table is locked; the migration retries until it gets the lock")
                time.sleep(pause)


@contextmanager
def _short_waits_for_locks() -> Iterator[None]:
    """On PostgreSQL, let each migration wait for a table only MIGRATION_LOCK_MS at a time.

    The limit applies to its transaction alone, since a pooler may reuse the server connection. For the same reason the
    transaction lifts the limits of posts (`hubbub.threads`), which a server connection may still have. A migration with
    `atomic = False` has no transaction and no limit: it is for AddIndexConcurrently, which blocks no writer.
    """
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        yield
        return
    plain = connection.SchemaEditorClass

    class Editor(plain):  # type: ignore[misc, valid-type]
        def __enter__(self) -> Any:
            entered = super().__enter__()
            if self.atomic_migration:
                for name, value in MIGRATION_LIMITS.items():
                    self.execute(f"SET LOCAL {name} = {value}", None)
            return entered

    connection.SchemaEditorClass = Editor
    try:
        yield
    finally:
        del connection.SchemaEditorClass


@contextmanager
def _locked(seconds: float, report: Report) -> Iterator[None]:
    try:
        with release_lock(seconds, report):
            yield
    except Busy:
        raise ReleaseFailed(
            f"another release has held the lock of this database for {seconds:g} s. Nothing was changed. "
            "Check that release, then run this one again."
        ) from None


@contextmanager
def _step(name: str, advice: str) -> Iterator[None]:
    """Turn any error into ReleaseFailed, with the name of the step and of the failed migration."""
    try:
        yield
    except ReleaseFailed:
        raise
    except Exception as error:
        where = f" at {migration}" if name == "migrations" and (migration := _next_pending()) else ""
        raise ReleaseFailed(f"{name} failed{where}: {_first_line(error)}. {advice}") from error


def _first_line(error: Exception) -> str:
    if isinstance(error, InUse):
        return "another release uses the same folder"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r" with <.*?>", "", lines[0]).rstrip(".") if lines else ""  # Without the repr of an object.
    is_plain = isinstance(error, OSError | ImproperlyConfigured | OperationalError)
    return text if text and is_plain else f"{type(error).__name__}: {text}".rstrip(": ")


def _next_pending() -> str:
    try:
        return next((".".join(key) for key in pending_migrations()), "")
    except Exception:  # noqa: BLE001 - the name is optional in the text of another error
        return ""


def _executor_and_plan() -> tuple[MigrationExecutor, list[Any]]:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return executor, executor.migration_plan(executor.loader.graph.leaf_nodes())


def _is_locked(error: BaseException) -> bool:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) in LOCK_STATES or getattr(cause, "sqlite_errorname", None) in SQLITE_LOCKED
