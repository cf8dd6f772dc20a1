"""The rule for commit messages."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.commit_message import problems
from tests.support.servers import ROOT

GOOD = "hub: drop repairs of another epoch\n\nTheir positions mean nothing in this one.\n"


@pytest.mark.parametrize("message", [GOOD, "Merge branch 'x'\n", "hub, outbox: one rule\n\nBecause.\n# a comment\n"])
def test_a_good_message_passes(message: str) -> None:
    assert problems(message) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "component"),
        ("Fix things\n\nReason.\n", "component"),
        ("hub: fix.\n\nReason.\n", "full stop"),
        (f"hub: {'x' * 60}\n\nReason.\n", "65 characters"),
        ("hub: fix\nReason.\n", "blank line"),
        ("hub: fix\n\n# a comment\n", "reason"),
    ],
)
def test_a_bad_message_says_why(message: str, problem: str) -> None:
    assert problem in " ".join(problems(message))


@pytest.mark.slow
def test_the_hook_stops_a_commit(tmp_path: Path) -> None:
    for message, code in ((GOOD, 0), ("hub: fix\n", 1)):
        (tmp_path / "message").write_text(message)
        ran = subprocess.run(
            [sys.executable, "-m", "scripts.commit_message", tmp_path / "message"], cwd=ROOT, capture_output=True
        )
        assert ran.returncode == code
