from collections.abc import AsyncIterator, Iterator
from typing import cast
from uuid import uuid4

import pytest

from tests.support import stats
from tests.support.cluster import Cluster
from tests.support.conversation import Talk, talking
from tests.support.postgresql import PostgreSQL


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if measured := stats.lines():
        terminalreporter.section("measured (greatest; seconds, where nothing else is said)")
        for line in measured:
            terminalreporter.line(line)


@pytest.fixture
async def talk(own_cluster: Cluster) -> AsyncIterator[Talk]:
    """A conversation on a cluster of its own, which the test may break. At the end it is compared with the database."""
    async with talking(own_cluster) as conversation:
        yield conversation
        if conversation.report is None:
            await conversation.whole()


@pytest.fixture(scope="module")
def people(site: Cluster) -> dict[str, dict[str, str]]:
    """Alice and Bob on the module's own site."""
    return {name: site.make_user(name) for name in ("alice", "bob")}


@pytest.fixture
def room(site: Cluster) -> str:
    """A new room on the module's own site."""
    slug = f"room-{uuid4().hex[:12]}"
    site.shell(f"from chat import services; services.create_room(slug={slug!r}, title='Test')")
    return slug


@pytest.fixture(scope="module")
def cluster_on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with (
        PostgreSQL() as server,
        Cluster(tmp_path_factory.mktemp("on-postgresql"), processes=2, DATABASE_URL=server.url) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module", params=["cluster", "cluster_on_postgresql"], ids=["sqlite", "postgresql"])
def on_each_database(request: pytest.FixtureRequest) -> Cluster:
    """A cluster on SQLite, then on PostgreSQL, for tests of locks and transactions."""
    return cast(Cluster, request.getfixturevalue(request.param))
