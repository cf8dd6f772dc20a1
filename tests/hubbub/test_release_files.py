"""The static files of one release after another, in one folder."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from hubbub.process.ports import InUse, lock_folder
from hubbub.supervisor import release_files
from hubbub.supervisor.release_files import LISTS, install_static_files, lock_release

Write = Callable[..., None]


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATIC_ROOT = tmp_path / "static"
    (tmp_path / "source").mkdir()
    return tmp_path / "static"


@pytest.fixture
def release(root: Path) -> Callable[..., None]:
    """Make one with these files, by name and content, and no others."""
    source = root.parent / "source"

    def release(**files: str) -> None:
        for path in source.iterdir():
            path.unlink()
        for name, content in files.items():
            (source / name.replace("_", ".")).write_text(content)
        install_static_files(wait_seconds=5)

    return release


@pytest.fixture
def holds() -> Iterator[None]:
    """Forget what this process serves."""
    yield
    for descriptor in release_files._locks.values():
        os.close(descriptor)
    release_files._locks.clear()


@pytest.fixture
def umask_of_up() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask_of_up")
def test_a_proxy_of_another_user_can_read_the_files_that_up_installs(root: Path) -> None:
    script = root.parent / "source" / "polls" / "js" / "page.js"
    script.parent.mkdir(parents=True)
    script.write_text("page")
    install_static_files(wait_seconds=5)
    modes = {name: (root / name).stat().st_mode & 0o777 for name in (".", "polls", "polls/js", "polls/js/page.js")}
    assert modes == {".": 0o755, "polls": 0o755, "polls/js": 0o755, "polls/js/page.js": 0o644}
    assert root.parent.stat().st_mode & 0o777 == 0o700


def manifest(root: Path) -> dict[str, str]:
    paths: dict[str, str] = json.loads((root / "staticfiles.json").read_text())["paths"]
    return paths


def test_hashed_files_of_the_release_before_stay_and_older_ones_go(root: Path, release: Any) -> None:
    named = []
    for text in ("first", "second", "third"):
        release(a_js=f"// {text}\n" * 50, same_js="// the same in all;")
        named.append(manifest(root)["a.js"])
    first, second, third = named
    assert not (root / first).exists()
    assert not (root / f"{first}.gz").exists()
    assert (root / second).read_text().startswith("// second")
    assert (root / third).read_text().startswith("// third")
    assert (root / f"{third}.gz").exists()
    assert (root / manifest(root)["same.js"]).exists()
    assert (root / "a.js").read_text() == (root / third).read_text()
    assert sorted(path.name for path in (root / LISTS).glob("*.txt")) == ["2.txt", "3.txt"]


def test_the_same_release_again_changes_nothing(root: Path, release: Any) -> None:
    release(a_js="// first")
    release(a_js="// second")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    release(a_js="// second")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before


def test_a_file_that_is_missing_is_made_again_though_nothing_changed(root: Path, release: Any) -> None:
    release(a_js="// first")
    (root / manifest(root)["a.js"]).unlink()
    release(a_js="// first")
    assert (root / manifest(root)["a.js"]).exists()


def test_a_manifest_that_collectstatic_has_replaced_is_made_again(root: Path, release: Any) -> None:
    release(a_js="// first")
    before = manifest(root)
    (root / "staticfiles.json").write_text('{"version": "1.1", "paths": {}}')
    release(a_js="// first")
    assert manifest(root) == before


def test_a_roll_back_finds_its_files_and_keeps_those_of_the_release_it_leaves(root: Path, release: Any) -> None:
    release(a_js="// old")
    old = manifest(root)["a.js"]
    release(a_js="// new")
    new = manifest(root)["a.js"]
    release(a_js="// old")
    assert manifest(root)["a.js"] == old
    assert (root / old).exists()
    assert (root / new).exists()


def test_files_of_plain_collectstatic_count_as_a_release(root: Path, release: Any) -> None:
    root.mkdir()
    left = root / "a.0123456789ab.js"
    left.write_text("// by a release that kept no list")
    release(a_js="// first")
    assert left.exists()
    release(a_js="// second")
    assert not left.exists()


def test_a_release_that_a_process_still_serves_keeps_its_files(root: Path, release: Any, holds: None) -> None:
    """The second could not start, so the processes of the first serve on, and the third replaces them."""
    release(a_js="// first")
    served = manifest(root)["a.js"]
    lock_release(root)
    release(a_js="// second, which does not start")
    release(a_js="// third")
    assert (root / served).exists()
    for descriptor in release_files._locks.values():
        os.close(descriptor)
    release_files._locks.clear()
    release(a_js="// fourth")
    assert not (root / served).exists()


def test_the_list_of_a_release_is_there_before_its_manifest(
    root: Path, release: Any, holds: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts in between serves the manifest that it has read, and keeps its files."""
    release(a_js="// first")
    first = manifest(root)
    started: list[dict[str, str]] = []
    note = release_files._add_list

    def start_after(lists: Path, names: Any) -> None:
        note(lists, names)
        settings.STATIC_ROOT = root  # As a new process: the manifest is read anew.
        lock_release(root)
        started.append(manifest(root))

    monkeypatch.setattr(release_files, "_add_list", start_after)
    release(a_js="// second")
    monkeypatch.undo()
    assert started == [first]
    assert manifest(root) != first
    release(a_js="// third")
    assert (root / first["a.js"]).exists()
    assert sorted(path.name for path in (root / LISTS).glob("*.txt")) == ["1.txt", "2.txt", "3.txt"]


def test_a_file_that_compresses_no_more_leaves_no_old_copy(root: Path, release: Any) -> None:
    release(a_js="// long\n" * 100)
    assert (root / "a.js.gz").exists()
    release(a_js="//")
    assert not (root / "a.js.gz").exists()


def test_a_release_with_a_broken_file_leaves_the_pages_as_they_were(root: Path, release: Any) -> None:
    release(a_css="a { color: red; }")
    before = manifest(root)
    with pytest.raises((ValueError, CommandError), match="missing"):  # CommandError since Django 6.0.
        release(a_css="a { background: url(missing.png); }")
    assert manifest(root) == before
    assert (root / before["a.css"]).exists()
    assert not (root / LISTS / "new").exists()


def test_each_file_that_the_manifest_names_is_there_at_any_moment_of_a_release(root: Path, release: Any) -> None:
    release(a_js="// 0", b_js="// 0")
    done = threading.Event()
    missing: list[str] = []
    looks = 0

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            named = manifest(root).values()
            missing.extend(name for name in named if not (root / name).exists())
            looks += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(1, 20):
        release(a_js=f"// {number}\n" * 100, b_js=f"// {number}\n" * 100)
    done.set()
    watcher.join()
    assert missing == []
    assert looks > 20


def test_two_releases_at_once_in_one_folder_are_one_after_the_other(root: Path, release: Any) -> None:
    release(a_js="// first")
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(install_static_files, wait_seconds=20) for _ in range(4)]:
            future.result()
    assert (root / manifest(root)["a.js"]).exists()


def test_the_wait_for_a_folder_in_use_is_bounded(root: Path, release: Any) -> None:
    release(a_js="// first")
    lock = lock_folder(root / LISTS)
    with pytest.raises(InUse):
        install_static_files(wait_seconds=0.1)
    os.close(lock)
