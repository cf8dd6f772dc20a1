"""The tests of topics on two server processes, with PostgreSQL, where writers run at the same time."""

from collections.abc import Iterator

import pytest

from tests.cluster.test_topics import (  # noqa: F401
    Polls,
    serving_polls,
    test_a_command_of_a_process_that_was_killed_is_answered_by_another,
    test_a_log_with_writers_on_both_processes_is_in_order_and_resumed_from_anywhere,
    test_a_vote_on_one_process_reaches_a_page_on_the_other,
    test_access_that_is_lost_on_one_process_closes_the_topic_on_the_other,
    test_one_id_on_two_processes_at_the_same_instant_has_one_effect,
    test_redis_is_killed_and_restarted_during_writes_and_pages_are_whole_within_seconds,
)
from tests.support.postgresql import PostgreSQL

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polls]:
    with PostgreSQL() as server, serving_polls(tmp_path_factory.mktemp("polls"), DATABASE_URL=server.url) as polls:
        yield polls
