"""The marks by which `make check` chooses its tests."""

import asyncio
import subprocess
import sys

import pytest

from tests.conftest import LONGEST_FILES

PROGRAM = [sys.executable, "-c", ""]


def test_a_fast_test_that_starts_a_program_is_refused() -> None:
    with pytest.raises(RuntimeError, match="needs the mark slow"):
        subprocess.run(PROGRAM)


async def test_a_fast_test_that_starts_a_program_in_an_event_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="needs the mark slow"):
        await asyncio.create_subprocess_exec(*PROGRAM)


@pytest.mark.slow
def test_a_slow_test_may_start_a_program() -> None:
    assert subprocess.run(PROGRAM).returncode == 0


def test_files_that_begin_first_exist() -> None:
    assert [path for path in LONGEST_FILES if not path.is_file()] == []
