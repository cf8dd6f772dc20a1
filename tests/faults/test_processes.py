"""A talk goes on, and is whole, when processes die and clients are cut off."""

import os
import signal

import pytest

from tests.support.cluster import Cluster, until
from tests.support.conversation import Talk

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def own_cluster(mended: Cluster) -> Cluster:
    """One for both tests: the first ends no process."""
    return mended


async def test_cut_off_clients_miss_nothing(talk: Talk) -> None:
    for times in range(1, 4):
        await talk.say(20)
        for member in talk.everybody:
            member.cut()
        await until(lambda: all(len(member.log.recoveries) == times for member in talk.everybody))  # noqa: B023
    report = await talk.whole()
    assert len(report.recoveries) == 3 * len(talk.everybody)


async def test_the_clients_of_a_killed_process_are_on_a_living_one_within_three_seconds(talk: Talk) -> None:
    await talk.say(20)
    victim = talk.cluster.pid_of("web-2")
    assert victim
    os.kill(victim, signal.SIGKILL)
    await talk.say(60)
    report = await talk.whole()
    assert len(report.recoveries) == len(talk.readers)
    assert max(report.recoveries) < 3.0
