"""`make matrix`: its combinations, the Pythons that it finds, its counts and its table."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import matrix
from scripts.matrix import COMBINATIONS, PYTHONS, Combination, Outcome

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPORT = """<testsuites><testsuite>
<testcase classname="tests.chat.test_bans" name="test_a" time="0.1"/>
<testcase classname="tests.chat.test_bans" name="test_b"><failure message="no">…</failure></testcase>
<testcase classname="tests.chat.test_bans" name="test_c"><error message="no">…</error></testcase>
<testcase classname="tests.chat.test_bans" name="test_d"><skipped message="no Redis"/></testcase>
</testsuite></testsuites>"""


def classified(prefix: str) -> set[str]:
    return {line.removeprefix(prefix) for line in PROJECT["classifiers"] if line.startswith(prefix)}


def test_each_version_that_the_package_names_is_tried() -> None:
    assert {each.python for each in COMBINATIONS} == {*PYTHONS}
    assert classified("Programming Language :: Python :: ") == {"3 :: Only", *PYTHONS}
    assert {each.django for each in COMBINATIONS} == classified("Framework :: Django :: ")
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    assert any(each.is_oldest and each.python == PYTHONS[0] for each in COMBINATIONS)


def test_a_combination_has_a_name_and_a_range() -> None:
    assert Combination("3.13", "6.1").name == "py313-django61"
    assert Combination("3.11", "5.2", is_oldest=True).name == "py311-django52-oldest"
    assert Combination("3.11", "5.2").django_range == "Django>=5.2,<5.3"
    assert len({each.name for each in COMBINATIONS}) == len(COMBINATIONS)


def test_the_tests_on_real_processes_exist() -> None:
    for name in matrix.REAL:
        path, _, test = name.partition("::")
        assert test in (ROOT / path).read_text()


def test_the_tests_bring_no_django_of_their_own() -> None:
    names = matrix.site_and_test_requirements()
    assert {"pytest>=8", "channels>=4.3,<5", "whitenoise>=6.9"} <= {*names}
    assert not [name for name in names if name.startswith(("Django", "-"))]


def test_oldest_versions_are_asked_for_in_one_combination_only() -> None:
    assert matrix.oldest_versions(Combination("3.13", "6.1")) == []


def program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.mark.slow
def test_pythons_are_found_on_the_path_and_in_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv has a program on PATH for each version that it has, also for those that are switched off."""
    path, pyenv = tmp_path / "bin", tmp_path / "pyenv"
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    program(path / "python3.11", "echo 3.11")
    program(path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    program(pyenv / "versions" / "3.12.9" / "bin" / "python", "echo 3.12")
    program(pyenv / "versions" / "3.12.10" / "bin" / "python", "echo 3.12")
    program(path / "python3.13", "echo 3.9")
    found = matrix.find_pythons({*PYTHONS})
    assert found == {
        "3.11": path / "python3.11",
        "3.12": pyenv / "versions" / "3.12.10" / "bin" / "python",
    }


@pytest.mark.slow
def test_without_a_python_it_stops_with_one_line(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "scripts.matrix", "--only", "py313-django61"],
        cwd=ROOT,
        env=os.environ | {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    [line] = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert line.startswith("make matrix: no Python 3.13 on PATH or in pyenv; install one")


def test_results_are_counted_and_failures_named(tmp_path: Path) -> None:
    (tmp_path / "fast.xml").write_text(REPORT)
    outcome = Outcome()
    matrix.count(tmp_path / "fast.xml", outcome)
    assert (outcome.passed, outcome.skipped) == (1, 1)
    assert outcome.failed == ["tests.chat.test_bans::test_b", "tests.chat.test_bans::test_c"]
    assert not outcome.is_good
    assert Outcome(passed=1).is_good
    assert not Outcome().is_good


def test_the_table_has_a_row_for_each_combination() -> None:
    versions = dict.fromkeys(("Python", *matrix.SHOWN), "1.0")
    good = Outcome(passed=7, failed=["a::b"], skipped=2, versions=versions, seconds=61.6)
    lines = matrix.table({COMBINATIONS[0]: good, COMBINATIONS[-1]: Outcome(problem="no Python 3.13")}).splitlines()
    assert lines[2] == f"| {COMBINATIONS[0].name} {'| 1.0 ' * 7}| 7 | 1 | 2 | 62 |"
    assert lines[3] == f"| {COMBINATIONS[-1].name} {'|  ' * 7}| not run: no Python 3.13 |  |  |  |"
    assert {line.count("|") for line in lines} == {len(matrix.HEADINGS) + 1}
