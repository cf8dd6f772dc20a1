"""`make release-package` refuses what is not ready, in one line; the built package is checked."""

import base64
import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from scripts.package_check import problems
from scripts.release_package import NotReady, check_ready
from tests.support.servers import ROOT

HOOK = '[tool.hatch.metadata.hooks.custom]\nfile-url = "{0}"\npicture-url = "{0}"\n'
CHANGES = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-11-27\n\n- Polls.\n\n## 1.1.0\n\n- Rooms.\n"


def git(folder: Path, *arguments: str) -> None:
    own = ["-c", "user.name=Mona", "-c", "user.email=mona@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is ready to be released as 1.2.0."""
    (tmp_path / "hubbub").mkdir()
    (tmp_path / "hubbub" / "__init__.py").write_text('"""Topics."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "pyproject.toml").write_text(HOOK.format(""))
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "all")
    git(tmp_path, "tag", "v1.1.0")
    return tmp_path


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "commit", "--all", "--message", name)


@pytest.mark.slow
def test_a_tree_that_is_ready_gives_its_version(checkout: Path) -> None:
    assert check_ready(checkout) == check_ready(checkout, "1.2.0") == "1.2.0"


@pytest.mark.slow
def test_a_tree_with_changes_is_refused(checkout: Path) -> None:
    (checkout / "new.py").touch()
    (checkout / "hubbub" / "__init__.py").write_text('__version__ = "1.3.0"\n')
    with pytest.raises(NotReady, match=r"changes that are not committed: hubbub/__init__.py, new.py$"):
        check_ready(checkout)


@pytest.mark.slow
def test_a_tag_that_exists_is_refused(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.0")
    with pytest.raises(NotReady, match=r"the tag v1.2.0 exists: raise __version__"):
        check_ready(checkout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "newest"),
    [("## Unreleased 1.2.0", "of no version"), ("## 1.2.01", "1.2.01"), ("## 1.3.0", "1.3.0"), ("Polls", "1.1.0")],
)
def test_a_changelog_without_the_section_is_refused(checkout: Path, heading: str, newest: str) -> None:
    commit(checkout, "CHANGELOG.md", CHANGES.replace("## Unreleased\n", "").replace("## 1.2.0 - 2026-11-27", heading))
    with pytest.raises(NotReady, match=rf"newest section of CHANGELOG.md is {newest}, and .* has 1.2.0"):
        check_ready(checkout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "day"),
    [
        ("## 1.2.0", "no date"),
        ("## 1.2.0 - soon", "soon"),
        ("## 1.2.0 - 2026-02-30", "2026-02-30"),
        ("## 1.2.0 - 20261127", "20261127"),
        ("## 1.2.0 (2026-11-27)", r"\(2026-11-27\)"),
    ],
)
def test_a_section_without_the_day_of_the_release_is_refused(checkout: Path, heading: str, day: str) -> None:
    commit(checkout, "CHANGELOG.md", CHANGES.replace("## 1.2.0 - 2026-11-27", heading))
    with pytest.raises(
        NotReady, match=rf'CHANGELOG.md has {day}: give the changes the heading "## 1.2.0 - YYYY-MM-DD"'
    ):
        check_ready(checkout)


@pytest.mark.slow
def test_changes_that_are_not_in_the_section_are_refused(checkout: Path) -> None:
    commit(checkout, "CHANGELOG.md", CHANGES.replace("## Unreleased\n", "## Unreleased\n\n- Quizzes.\n"))
    with pytest.raises(NotReady, match="is of no version"):
        check_ready(checkout)


@pytest.mark.slow
def test_another_version_than_that_of_the_code_is_refused(checkout: Path) -> None:
    with pytest.raises(NotReady, match=r"VERSION=1.3.0, and hubbub/__init__.py has 1.2.0"):
        check_ready(checkout, "1.3.0")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.2", "1.2.0-beta", "next", ""])
def test_a_version_that_an_index_would_spell_otherwise_is_refused(checkout: Path, version: str) -> None:
    commit(checkout, "hubbub/__init__.py", f'__version__ = "{version}"\n')
    if version == "1.2":  # A valid spelling: only its section is missing.
        with pytest.raises(NotReady, match=r"CHANGELOG.md is 1.2.0, and .* has 1.2:"):
            check_ready(checkout)
    else:
        with pytest.raises(NotReady, match=r"hubbub/__init__.py has the version .*: such as 1.2.0 is allowed"):
            check_ready(checkout)


@pytest.mark.slow
def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"git status failed: "):
        check_ready(tmp_path)


@pytest.mark.slow
def test_a_refusal_is_one_line_and_the_next_steps_are_printed(checkout: Path) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "scripts.release_package", *arguments]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True)
        return ran.returncode, ran.stdout, ran.stderr

    refusal = "make release-package: VERSION=2.0.0, and hubbub/__init__.py has 1.2.0: change one of them\n"
    assert run("ready", "2.0.0") == (1, "", refusal)
    assert run("ready") == (0, "", "")
    commit(checkout, "CHANGELOG.md", CHANGES + "\n")
    (checkout / ".git" / "info" / "exclude").write_text("dist/\n")
    (checkout / "dist").mkdir()
    (checkout / "dist" / "django_hubbub-1.2.0-py3-none-any.whl").touch()
    code, printed, _ = run("next")
    assert code == 0
    assert 'git tag -a v1.2.0 -m "django-hubbub 1.2.0"' in printed
    assert "twine upload dist/django_hubbub-1.2.0-py3-none-any.whl" in printed
    assert "no links to the documents" in printed
    commit(checkout, "pyproject.toml", HOOK.format("https://git.example.org/{path}"))
    assert "no links" not in run("next")[1]


# The built package

INFO = "django_hubbub-1.2.0.dist-info"
VENDOR = "monitor/static/monitor/vendor/uplot"
METADATA = f"""Metadata-Version: 2.4
Name: django-hubbub
Version: 1.2.0
License-Expression: MIT
License-File: LICENSE
License-File: {VENDOR}/LICENSE
Classifier: Framework :: Django :: 6.1
Provides-Extra: server
Provides-Extra: postgres
Provides-Extra: chat
Provides-Extra: monitor
Provides-Extra: client
Requires-Dist: redis>=5.1
Description-Content-Type: text/markdown

# Hubbub
"""
FILES = {
    "hubbub/__init__.py": '__version__ = "1.2.0"\n',
    "hubbub/py.typed": "",
    f"hubbub/copies/{VENDOR}/uPlot.js": "",
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/licenses/LICENSE": "MIT",
    f"{INFO}/licenses/{VENDOR}/LICENSE": "MIT",
}
Build = Callable[..., list[str]]


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Write both kinds, with these files changed (None: left out), and return the problems that the check finds."""

    def build(changed: dict[str, str | None] | None = None, record: str = "", sources: str = METADATA) -> list[str]:
        files = {name: text for name, text in (FILES | (changed or {})).items() if text is not None}
        rows = [f"{name},sha256={digest(text)},{len(text)}\n" for name, text in files.items()]
        files[f"{INFO}/RECORD"] = record or "".join([*rows, f"{INFO}/RECORD,,\n"])
        with zipfile.ZipFile(tmp_path / "django_hubbub-1.2.0-py3-none-any.whl", "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        with tarfile.open(tmp_path / "django_hubbub-1.2.0.tar.gz", "w:gz") as sdist:
            member = tarfile.TarInfo("django_hubbub-1.2.0/PKG-INFO")
            member.size = len(sources.encode())
            sdist.addfile(member, BytesIO(sources.encode()))
        return problems(tmp_path)

    return build


def test_a_whole_package_has_no_problem(build: Build) -> None:
    assert build() == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"hubbub/py.typed": None}, "hubbub/py.typed is missing: type checkers would ignore the package"),
        ({f"{INFO}/licenses/LICENSE": None}, f"a licence is missing in the wheel: {INFO}/licenses/LICENSE"),
        (
            {"hubbub/vendor/other/a.js": ""},
            "the licence of hubbub/vendor/other is missing in the metadata",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace(f"License-File: {VENDOR}/LICENSE\n", "")},
            f"the licence of hubbub/copies/{VENDOR} is missing in the metadata",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace("License-File: LICENSE\n", "")},
            "the licence of the package is missing in its metadata",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace("Django :: 6.1", "Django :: 9.9")},
            "django_hubbub-1.2.0-py3-none-any.whl: no index knows the classifier 'Framework :: Django :: 9.9'",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace("Version: 1.2.0", "Version: 1.3.0")},
            "django_hubbub-1.2.0-py3-none-any.whl: its metadata are of django-hubbub 1.3.0",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace("Provides-Extra: client\n", "")},
            "django_hubbub-1.2.0-py3-none-any.whl: its extras are not chat, client, monitor, postgres, server",
        ),
        (
            {f"{INFO}/METADATA": METADATA.replace("# Hubbub\n", "")},
            "django_hubbub-1.2.0-py3-none-any.whl: it has no description in Markdown",
        ),
        (
            {f"{INFO}/METADATA": f"{METADATA}[All](https://git.example.org), [topics](docs/topics.md), ![a](a.png)\n"},
            "django_hubbub-1.2.0-py3-none-any.whl: its description has 2 relative links, such as docs/topics.md;"
            " see hatch_build.py",
        ),
    ],
)
def test_a_fault_of_the_wheel_is_named(build: Build, changed: dict[str, str | None], problem: str) -> None:
    assert build(changed) == [problem]


def test_metadata_that_an_index_would_refuse_are_named(build: Build) -> None:
    [problem] = build(sources=METADATA.replace("redis>=5.1", "redis=>5.1"))
    assert problem.startswith("django_hubbub-1.2.0.tar.gz: ")
    assert "redis=>5.1" in problem


def test_a_record_with_another_hash_or_without_a_file_is_named(build: Build) -> None:
    rows = [f"{name},sha256={digest('' if name.endswith('__init__.py') else text)}," for name, text in FILES.items()]
    record = "\n".join([*rows[:1], *rows[2:], f"{INFO}/RECORD,,"])
    assert build(record=record) == [
        "RECORD and the wheel differ: hubbub/py.typed",
        "RECORD has another hash for hubbub/__init__.py",
    ]


def test_a_folder_with_an_older_build_is_refused(build: Build, tmp_path: Path) -> None:
    build()
    (tmp_path / "django_hubbub-1.1.0-py3-none-any.whl").touch()
    assert problems(tmp_path) == [f"{tmp_path} has 2 wheels and 1 source archives; one of each is needed"]
