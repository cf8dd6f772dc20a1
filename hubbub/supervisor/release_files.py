"""The static files of a release, put beside those of the release before, under processes that serve both.

Files are collected into a folder aside and moved in one by one; the manifest comes last, so each page names only files
that are there. `.releases` below STATIC_ROOT lists the files of each release. A web process holds a shared lock on the
list of its own: a list that a living process holds, and the two newest, are kept with all their files.
"""

import fcntl
import filecmp
import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import call_command, get_commands, load_command_class

from hubbub.process.ports import lock_folder

STATIC_APP = "django.contrib.staticfiles"
LISTS = ".releases"
STAGE = "new"
SOURCE = "source"  # A fingerprint of what the files in place were made from.
KEPT_RELEASES = 2
COMPRESSED = (".gz", ".br")

_held: dict[str, int] = {}


def install_static_files(*, wait_seconds: float) -> None:
    """Collect the static files of this code into STATIC_ROOT, and remove those of releases that nobody serves.

    The same files again change nothing. Raises Taken when another release uses STATIC_ROOT for longer than
    `wait_seconds`; OSError; and what collecting raises.
    """
    if not apps.is_installed(STATIC_APP):
        return
    if not isinstance(staticfiles_storage, FileSystemStorage):
        call_command("collectstatic", verbosity=0, interactive=False)  # A remote one keeps its own order.
        return
    if not staticfiles_storage.location:
        raise ImproperlyConfigured("STATIC_ROOT is not set")
    root = Path(staticfiles_storage.location)
    lists = root / LISTS
    lists.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(lists, wait_seconds=wait_seconds)
    stage = lists / STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)  # Of a release that was killed.
        source = _fingerprint()
        if not _is_in_place(root, lists, source):
            stage.mkdir()
            _note_what_is_there(root, lists)
            manifest = _collect(stage)
            names = frozenset(_files_below(stage))
            (lists / SOURCE).unlink(missing_ok=True)
            _move(stage, root, names - {manifest}, names)
            _note(lists, names)  # Before the manifest: whoever reads that finds the list of its files.
            _move(stage, root, names & {manifest}, names)
            _write(lists / SOURCE, _seal(root, source))
        _remove_older(root, lists)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def hold_release(root: str | os.PathLike[str]) -> None:
    """Keep the files of one release for as long as this process lives, whose pages name them.

    It is the newest one; while a release is under way, that of the manifest which this process has read.
    """
    lists = Path(root) / LISTS
    key = os.fspath(lists)
    if key in _held or not (numbers := _numbers(lists)):
        return
    named = set(getattr(staticfiles_storage, "hashed_files", {}).values())
    with suppress(OSError):
        number = next((number for number in numbers if named <= _read(lists, number)), numbers[0])
        descriptor = os.open(_list(lists, number), os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        _held[key] = descriptor


def _fingerprint() -> str:
    """Of all that is collected, and of what makes files of it."""
    found = [repr((django.__version__, settings.STATIC_URL, settings.STORAGES))]
    ignored = apps.get_app_config("staticfiles").ignore_patterns  # type: ignore[attr-defined]
    for finder in get_finders():
        for path, storage in sorted(finder.list(ignored), key=lambda one: one[0]):
            with storage.open(path) as file:
                found.append(f"{getattr(storage, 'prefix', '')} {path} {hashlib.blake2b(file.read()).hexdigest()}")
    return hashlib.blake2b("\n".join(found).encode()).hexdigest()


def _is_in_place(root: Path, lists: Path, source: str) -> bool:
    try:
        is_same = (lists / SOURCE).read_text() == _seal(root, source)
    except FileNotFoundError:
        return False
    return is_same and all((root / name).is_file() for name in _read(lists, _numbers(lists)[0]))


def _seal(root: Path, source: str) -> str:
    """The fingerprint with that of the manifest, which somebody's own collectstatic may have replaced."""
    manifest = root / str(getattr(staticfiles_storage, "manifest_name", "."))
    return f"{source} {hashlib.blake2b(manifest.read_bytes()).hexdigest() if manifest.is_file() else ''}"


def _collect(stage: Path) -> str:
    """Run collectstatic into `stage`; the name of the manifest, empty if this storage has none."""
    backend: Any = storages.backends["staticfiles"]
    options = {**backend.get("OPTIONS", {}), "location": os.fspath(stage)}
    storage: Any = storages.create_storage({**backend, "OPTIONS": options})
    found: Any = get_commands()["collectstatic"]
    command: Any = load_command_class(found, "collectstatic") if isinstance(found, str) else found
    command.storage = storage
    call_command(command, verbosity=0, interactive=False, stdout=io.StringIO(), stderr=io.StringIO())
    return str(getattr(storage, "manifest_name", ""))


def _move(stage: Path, root: Path, moved: Set[str], names: Set[str]) -> None:
    """Put `moved` in place, of a release of the files `names`."""
    for name in sorted(moved):
        source, target = stage / name, root / name
        # A file that is the same keeps its time: processes that have read it go on with the same ETag.
        if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        for ending in COMPRESSED:
            if not name.endswith(COMPRESSED) and name + ending not in names:
                (root / (name + ending)).unlink(missing_ok=True)  # Compressed from other content.


# Lists of releases


def _note_what_is_there(root: Path, lists: Path) -> None:
    """Before the first release that is listed, what collectstatic has left there counts as one."""
    if not _numbers(lists) and (names := frozenset(_files_below(root))):
        _write(_list(lists, 1), "\n".join(sorted(names)))


def _note(lists: Path, names: Set[str]) -> None:
    """Make `names` the newest list, unless it is the newest already. No list is written again: processes hold it."""
    numbers = _numbers(lists)
    if not numbers or _read(lists, numbers[0]) != names:
        _write(_list(lists, numbers[0] + 1 if numbers else 1), "\n".join(sorted(names)))


def _remove_older(root: Path, lists: Path) -> None:
    numbers = _numbers(lists)
    newest, older = numbers[:KEPT_RELEASES], numbers[KEPT_RELEASES:]
    kept = [*newest, *(number for number in older if _is_held(_list(lists, number)))]
    needed = frozenset[str]().union(*(_read(lists, number) for number in kept))
    for number in set(older) - set(kept):
        for name in _read(lists, number) - needed:
            path = root / name
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()  # If it is empty.
        _list(lists, number).unlink()


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _numbers(lists: Path) -> list[int]:
    """Of the lists that are there, the newest first."""
    return sorted((int(path.stem) for path in lists.glob("*.txt") if path.stem.isdecimal()), reverse=True)


def _list(lists: Path, number: int) -> Path:
    return lists / f"{number}.txt"


def _read(lists: Path, number: int) -> frozenset[str]:
    return frozenset(_list(lists, number).read_text().split("\n"))


def _write(path: Path, text: str) -> None:
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)


def _files_below(root: Path) -> Iterator[str]:
    """The files below `root` by their relative names, without those of hidden folders."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root)
