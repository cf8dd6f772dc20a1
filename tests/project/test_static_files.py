"""Static files that change on disk while a process serves them."""

from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hubbub.supervisor import release_files
from project.static_files import StaticFiles

KNOWN, OTHER = "app/a.0123456789ab.js", "app/a.ba9876543210.js"


@pytest.fixture
def root(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.STATIC_ROOT = tmp_path / "static"
    (tmp_path / "static" / "app").mkdir(parents=True)
    (tmp_path / "static" / KNOWN).write_text("// old")
    (tmp_path / "static" / "app" / "a.js").write_text("// old")
    monkeypatch.setattr(release_files, "_locks", {})
    return tmp_path / "static"


@pytest.fixture
def served(root: Path) -> StaticFiles:
    def not_static(request: HttpRequest) -> HttpResponse:
        return HttpResponse("a page", status=404)

    return StaticFiles(not_static)


def get(served: StaticFiles, path: str, method: str = "get") -> Any:
    request = getattr(RequestFactory(), method)("/")
    request.path_info = path
    return served(request)


def body(answer: Any) -> bytes:
    content: bytes = b"".join(answer)
    answer.file_to_stream.close()  # Not the answer: that is the end of a request, which looks at the database.
    return content


def test_a_hashed_file_that_came_after_the_start_is_served(served: StaticFiles, root: Path) -> None:
    (root / OTHER).write_text("// of a newer release")
    for _ in range(2):
        answer = get(served, f"/static/{OTHER}")
        assert answer.status_code == 200
        assert body(answer) == b"// of a newer release"


def test_a_hashed_file_that_is_gone_is_not_found(served: StaticFiles, root: Path) -> None:
    (root / KNOWN).unlink()
    assert [get(served, f"/static/{KNOWN}").status_code for _ in range(2)] == [404, 404]


def test_a_file_without_a_hash_that_changed_is_sent_whole(served: StaticFiles, root: Path) -> None:
    (root / "app" / "a.js").write_text("// new, and longer than before")
    answer = get(served, "/static/app/a.js")
    assert answer["Content-Length"] == str(len(b"// new, and longer than before"))
    assert body(answer) == b"// new, and longer than before"
    (root / "app" / "a.js").unlink()
    assert get(served, "/static/app/a.js").status_code == 404


def test_a_file_without_a_hash_that_came_after_the_start_is_not_looked_for(served: StaticFiles, root: Path) -> None:
    (root / "app" / "b.js").write_text("// new")
    assert get(served, "/static/app/b.js").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret.0123456789ab.txt",
        "/static/app/../../secret.0123456789ab.txt",
        "/static//etc/secret.0123456789ab.txt",
        "/static/..\\secret.0123456789ab.txt",
        "/static/./app/../../secret.0123456789ab.txt",
        "/static/.releases/new/a.0123456789ab.js",
        "/static/app/.hidden/a.0123456789ab.js",
        "/static/app/folder.0123456789ab.js",
        "/static/app/nul\0.0123456789ab.js",
        "/static/app/\ud800.0123456789ab.js",
        "/static/" + "x" * 5_000 + ".0123456789ab.js",
        "/static/" + "x/" * 5_000 + "a.0123456789ab.js",
        "/secret.0123456789ab.txt",
        "/static/a.0123456789ab.js\n",
    ],
)
def test_no_path_leads_out_of_the_folder_or_to_hidden_files(served: StaticFiles, root: Path, path: str) -> None:
    (root.parent / "secret.0123456789ab.txt").write_text("secret")
    (root / ".releases" / "new").mkdir(parents=True)
    (root / ".releases" / "new" / "a.0123456789ab.js").write_text("// not yet")
    (root / "app" / ".hidden").mkdir()
    (root / "app" / ".hidden" / "a.0123456789ab.js").write_text("// hidden")
    (root / "app" / "folder.0123456789ab.js").mkdir()
    assert get(served, path).status_code == 404


def test_a_flood_of_unknown_names_leaves_nothing_behind(served: StaticFiles) -> None:
    before = len(served.files)
    for number in range(500):
        assert get(served, f"/static/app/a.{number:012x}.js").status_code == 404
    assert len(served.files) == before


def test_a_file_without_a_hash_keeps_its_name_when_another_method_asks(served: StaticFiles) -> None:
    assert get(served, f"/static/{KNOWN}", "post").status_code == 405
    assert get(served, f"/static/{KNOWN}", "head").status_code == 200


def test_a_start_in_the_middle_of_a_release_sees_no_half_done_work(root: Path) -> None:
    stage = root / ".releases" / "new"
    stage.mkdir(parents=True)
    (stage / "a.js").write_text("// not yet")
    files = StaticFiles(lambda request: HttpResponse(status=404)).files
    assert not any(".releases" in url for url in files)
    assert f"/static/{KNOWN}" in files
