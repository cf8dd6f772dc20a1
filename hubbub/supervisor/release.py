"""One release: the database gets the schema of this code, then the static files of this code are put in place.

`manage.py release` and the start of `manage.py up` do it; SIGHUP to `up` has it done before it replaces a process. All
of it may be done again at any time, and under running processes of the release before: a migration that was ended is
rolled back. One with `atomic = False` is not, and may need a hand first: see docs/releases.md.
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
from hubbub.process.ports import Taken
from hubbub.supervisor.additive import complaints
from hubbub.supervisor.release_files import install_static_files
from hubbub.supervisor.release_lock import Busy, release_lock

# A change of a table waits for those who use it, and whoever comes later waits behind it: a post for a second at most.
MIGRATION_LOCK_MS = 200
MIGRATION_LIMITS = {
    "lock_timeout": MIGRATION_LOCK_MS,
    "statement_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
}
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)  # The last one again and again.
LOCK_STATES = ("55P03", "40P01")  # PostgreSQL: lock_not_available, deadlock_detected.
SQLITE_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
NICENESS = 10

Say = Callable[[str], None]


class ReleaseFailed(Exception):
    """What failed, why, and what to do, in one line."""


def release(*, migrate: bool = True, must_be_additive: bool = False, is_gentle: bool = False, say: Say) -> None:
    """Bring the database and the static files to this code. Raises ReleaseFailed.

    `must_be_additive`: processes of the release before go on running, so refuse migrations that they could not live
    with. `is_gentle`: lower the priority of this process once the database is done with. `say` gets what it waits for.
    """
    seconds = conf.settings().release_seconds
    deadline = time.monotonic() + seconds
    with _step("the lock", "Run it again when the database answers."), _locked(seconds, say):
        if migrate:
            _migrate(deadline, must_be_additive=must_be_additive, say=say)
        connections.close_all()
        if is_gentle:
            os.nice(NICENESS)
        with _step("static files", "The pages go on naming those of before. Correct it and run the release again."):
            install_static_files(wait_seconds=max(0.0, deadline - time.monotonic()))


def pending() -> list[tuple[str, str]]:
    """The migrations of this code that the database does not have, in their order."""
    return [(one.app_label, one.name) for one, _ in _executor_and_plan()[1]]


def pending_complaints() -> list[str]:
    """Why the pending migrations may not be applied under running processes; empty if they may."""
    executor, plan = _executor_and_plan()
    if not plan:
        return []
    return complaints([(one.app_label, one.name) for one, _ in plan], executor.loader)


def _migrate(deadline: float, *, must_be_additive: bool, say: Say) -> None:
    if must_be_additive:
        with _step("migrations", "Nothing was changed."):
            found = pending_complaints()
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ReleaseFailed(
                f"not additive: {found[0]}{more}. Running processes could not go on: stop the site, and start it again."
            )
    with _step("migrations", "Those before it stay applied. Correct it and run the release again."):
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
                    say("a table is in use; the migration is tried again until it gets it")
                time.sleep(pause)


@contextmanager
def _short_waits_for_locks() -> Iterator[None]:
    """On PostgreSQL each migration gives up its turn for a table after a moment; see MIGRATION_LOCK_MS.

    In its transaction alone: a pooler may hand the server connection to others. For the same reason the transaction
    lifts the limits of posts (`hubbub.threads`), which a server connection may still have. A migration with
    `atomic = False` has no transaction: that is for AddIndexConcurrently, for which no writer waits.
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
def _locked(seconds: float, say: Say) -> Iterator[None]:
    try:
        with release_lock(seconds, say):
            yield
    except Busy:
        raise ReleaseFailed(
            f"another release has run on this database for {seconds:g} s. Nothing was changed. Look at that one, "
            "and run this one again."
        ) from None


@contextmanager
def _step(name: str, advice: str) -> Iterator[None]:
    """Any error as ReleaseFailed: by the name of the step, and of the migration that did not get through."""
    try:
        yield
    except ReleaseFailed:
        raise
    except Exception as error:
        where = f" at {one}" if name == "migrations" and (one := _next_pending()) else ""
        raise ReleaseFailed(f"{name} failed{where}: {_first_line(error)}. {advice}") from error


def _first_line(error: Exception) -> str:
    if isinstance(error, Taken):
        return "another release uses the same folder"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r" with <.*?>", "", lines[0]).rstrip(".") if lines else ""  # Not the address of an object.
    is_plain = isinstance(error, OSError | ImproperlyConfigured | OperationalError)
    return text if text and is_plain else f"{type(error).__name__}: {text}".rstrip(": ")


def _next_pending() -> str:
    try:
        return next((".".join(key) for key in pending()), "")
    except Exception:  # noqa: BLE001 - it only makes another error plainer
        return ""


def _executor_and_plan() -> tuple[MigrationExecutor, list[Any]]:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return executor, executor.migration_plan(executor.loader.graph.leaf_nodes())


def _is_locked(error: BaseException) -> bool:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) in LOCK_STATES or getattr(cause, "sqlite_errorname", None) in SQLITE_LOCKED
