"""The static files of a release, installed beside those of the previous release while processes serve both.

Files are collected into a staging folder and moved into place one by one; the manifest comes last, so pages refer only
to files that exist. `.releases` below STATIC_ROOT lists the files of each release. Each web process has a shared lock
on the list of its release. The files of locked lists, and of the two newest, are retained.
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
SOURCE = "source"  # The fingerprint of the sources of the installed files.
RETAINED_RELEASES = 2
COMPRESSED = (".gz", ".br")
FOLDER_MODE = 0o755

_locks: dict[str, int] = {}


def install_static_files(*, wait_seconds: float) -> None:
    """Collect the static files of this code into STATIC_ROOT, and remove files of releases that no process serves.

    A repeated call with the same files changes nothing.

    Args:
        wait_seconds: how long to wait for another release that uses STATIC_ROOT.

    Raises:
        InUse: when another release uses STATIC_ROOT for longer than `wait_seconds`.
        ImproperlyConfigured: without STATIC_ROOT.
        OSError: when a file cannot be written; and any error of collectstatic.
    """
    if not apps.is_installed(STATIC_APP):
        return
    if not isinstance(staticfiles_storage, FileSystemStorage):
        call_command("collectstatic", verbosity=0, interactive=False)  # A remote storage: no order to keep.
        return
    if not staticfiles_storage.location:
        raise ImproperlyConfigured("STATIC_ROOT is not set")
    root = Path(staticfiles_storage.location)
    lists = root / LISTS
    _make_folder(root, root)
    lists.mkdir(exist_ok=True)
    lock = lock_folder(lists, wait_seconds=wait_seconds)
    stage = lists / STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)  # From a release that was killed.
        source = _fingerprint()
        if not _is_installed(root, lists, source):
            stage.mkdir()
            _list_existing_files(root, lists)
            manifest = _collect(stage)
            names = frozenset(_files_below(stage))
            (lists / SOURCE).unlink(missing_ok=True)
            _move(stage, root, names - {manifest}, names)
            _add_list(lists, names)  # Before the manifest: a process that reads the manifest finds its list.
            _move(stage, root, names & {manifest}, names)
            _write(lists / SOURCE, _with_manifest(root, source))
        _remove_old_releases(root, lists)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def lock_release(root: str | os.PathLike[str]) -> None:
    """Retain the files of one release until this process ends, because its pages refer to them.

    It is the newest release; during an installation, the one whose manifest this process has read.
    """
    lists = Path(root) / LISTS
    key = os.fspath(lists)
    if key in _locks or not (numbers := _numbers(lists)):
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
        _locks[key] = descriptor


def _fingerprint() -> str:
    """The fingerprint of all source files, and of the code and settings that process them."""
    parts = [repr((django.__version__, settings.STATIC_URL, settings.STORAGES))]
    ignored = apps.get_app_config("staticfiles").ignore_patterns  # type: ignore[attr-defined]
    for finder in get_finders():
        for path, storage in sorted(finder.list(ignored), key=lambda item: item[0]):
            with storage.open(path) as file:
                parts.append(f"{getattr(storage, 'prefix', '')} {path} {hashlib.blake2b(file.read()).hexdigest()}")
    return hashlib.blake2b("\n".join(parts).encode()).hexdigest()


def _is_installed(root: Path, lists: Path, source: str) -> bool:
    try:
        is_same = (lists / SOURCE).read_text() == _with_manifest(root, source)
    except FileNotFoundError:
        return False
    return is_same and all((root / name).is_file() for name in _read(lists, _numbers(lists)[0]))


def _with_manifest(root: Path, source: str) -> str:
    """The fingerprint, combined with the manifest's, which a separate collectstatic may have replaced."""
    manifest = root / str(getattr(staticfiles_storage, "manifest_name", "."))
    return f"{source} {hashlib.blake2b(manifest.read_bytes()).hexdigest() if manifest.is_file() else ''}"


def _collect(stage: Path) -> str:
    """Run collectstatic into `stage`. Return the name of the manifest; empty if the storage has none."""
    backend: Any = storages.backends["staticfiles"]
    options = {**backend.get("OPTIONS", {}), "location": os.fspath(stage)}
    storage: Any = storages.create_storage({**backend, "OPTIONS": options})
    provider: Any = get_commands()["collectstatic"]
    command: Any = load_command_class(provider, "collectstatic") if isinstance(provider, str) else provider
    command.storage = storage
    call_command(command, verbosity=0, interactive=False, stdout=io.StringIO(), stderr=io.StringIO())
    return str(getattr(storage, "manifest_name", ""))


def _move(stage: Path, root: Path, moved: Set[str], names: Set[str]) -> None:
    """Move the files `moved` from `stage` into `root`; `names` are all files of the release."""
    for name in sorted(moved):
        source, target = stage / name, root / name
        # An unchanged file keeps its modification time, and with it its ETag in running processes.
        if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            _make_folder(target.parent, root)
            source.replace(target)
        for ending in COMPRESSED:
            if not name.endswith(COMPRESSED) and name + ending not in names:
                (root / (name + ending)).unlink(missing_ok=True)  # Compressed from older content.


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder in `root`, or `root` itself, also for the proxy: it is another user, and `up` has a umask."""
    missing = [path for path in (folder, *folder.parents) if path.is_relative_to(root) and not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        path.chmod(getattr(staticfiles_storage, "directory_permissions_mode", None) or FOLDER_MODE)


# Lists of releases


def _list_existing_files(root: Path, lists: Path) -> None:
    """Before the first listed release, list the files of an earlier collectstatic as one release."""
    if not _numbers(lists) and (names := frozenset(_files_below(root))):
        _write(_list(lists, 1), "\n".join(sorted(names)))


def _add_list(lists: Path, names: Set[str]) -> None:
    """Make `names` the newest list, unless it is already. Lists are never rewritten: processes have locks on them."""
    numbers = _numbers(lists)
    if not numbers or _read(lists, numbers[0]) != names:
        _write(_list(lists, numbers[0] + 1 if numbers else 1), "\n".join(sorted(names)))


def _remove_old_releases(root: Path, lists: Path) -> None:
    numbers = _numbers(lists)
    newest, older = numbers[:RETAINED_RELEASES], numbers[RETAINED_RELEASES:]
    retained = [*newest, *(number for number in older if _is_locked(_list(lists, number)))]
    retained_names = frozenset[str]().union(*(_read(lists, number) for number in retained))
    for number in set(older) - set(retained):
        for name in _read(lists, number) - retained_names:
            path = root / name
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()  # Fails unless it is empty.
        _list(lists, number).unlink()


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _numbers(lists: Path) -> list[int]:
    """The numbers of the lists, the newest first."""
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
    """The relative names of the files below `root`, except in hidden folders."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root)
