"""Short programs that end right after a publication, with a Redis whose host is a name: real programs, a real Redis."""

import asyncio
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hubbub.test_publish_programs import arrive, run
from tests.support.proxy import Proxy
from tests.support.publishing_programs import BEGIN, CHILDREN, SHORT_PROGRAMS
from tests.support.servers import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def by_name() -> Iterator[str]:
    """The Redis of all tests, with a name in its address."""
    with Proxy(Path(os.environ["REDIS_URL"].removeprefix("unix://"))) as proxy:
        yield f"redis://localhost:{proxy.port}"


@pytest.mark.parametrize("program", SHORT_PROGRAMS.values(), ids=SHORT_PROGRAMS.keys())
async def test_a_program_that_ends_at_once_loses_nothing(
    heard: Any, by_name: str, program: str, tmp_path: Path
) -> None:
    ran = await run(["-c", BEGIN + textwrap.dedent(program)], tmp_path, REDIS_URL=by_name)
    assert (ran.returncode, ran.stderr) == (0, "")
    await arrive(heard, ran)


@pytest.mark.parametrize("start", ["fork", "spawn"])
async def test_children_of_multiprocessing_lose_nothing(heard: Any, by_name: str, start: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(BEGIN + CHILDREN)
    ran = await run(["program.py", start], tmp_path, REDIS_URL=by_name)
    assert (ran.returncode, ran.stderr) == (0, "")
    await arrive(heard, ran)


async def test_a_line_in_the_shell_of_manage_py_loses_nothing(heard: Any, by_name: str, tmp_path: Path) -> None:
    line = "from hubbub.publish import publish; publish('room.general', 'line'); print('line')"
    ran = await run([str(ROOT / "manage.py"), "shell", "-v0", "-c", line], tmp_path, REDIS_URL=by_name)
    assert (ran.returncode, ran.stderr) == (0, "")
    await arrive(heard, ran)


async def test_a_name_that_leads_nowhere_is_said_once(tmp_path: Path) -> None:
    program = BEGIN + "say('lost')"
    async with asyncio.timeout(30):
        ran = await run(["-c", program], tmp_path, REDIS_URL="redis://no-such-host.invalid")
    assert ran.returncode == 0
    assert ran.stderr.count("publish: Redis unavailable, messages dropped") == 1, ran.stderr
    assert "Traceback" not in ran.stderr
