"""A talk goes on, and is whole, when processes die and clients are cut off."""

import asyncio
import os
import signal

import pytest

from tests.faults.talking import Talk

pytestmark = pytest.mark.cluster


async def test_clients_that_are_cut_off_miss_nothing(talk: Talk) -> None:
    for _ in range(3):
        await talk.say(20)
        for one in talk.everybody:
            one.cut()
        await asyncio.gather(*(one.wait_until_joined() for one in talk.everybody))
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
