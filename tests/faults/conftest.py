from collections.abc import AsyncIterator

import pytest

from tests.cluster.running import Cluster
from tests.faults import figures
from tests.faults.talking import Talk, talking


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if found := figures.lines():
        terminalreporter.section("measured (greatest; seconds, where nothing else is said)")
        for line in found:
            terminalreporter.line(line)


@pytest.fixture
async def talk(own_cluster: Cluster) -> AsyncIterator[Talk]:
    """A talk on two processes of its own, which the test may break: all is compared with the database at the end."""
    async with talking(own_cluster) as one:
        yield one
        if one.report is None:
            await one.whole()
