"""The server's clock is set while sockets are open: timers go on."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.servers import ROOT, Site
from tests.support.slow_reader import SlowReader

pytestmark = pytest.mark.cluster

HOUR = 3600


@pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back 1 h", "forward 1 h"])
async def test_pings_go_on_and_the_dead_are_found_after_the_servers_clock_was_set(tmp_path: Path, step: int) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    site = Site(tmp_path)
    cookie = (await asyncio.to_thread(site.make_user, "alice"))["cookie"]
    settings = {
        "PYTHONPATH": f"{ROOT / 'tests' / 'faults' / 'clock'}",
        "TEST_CLOCK": str(clock),
        "HUBBUB_PING_SECONDS": "2",
        "HUBBUB_PING_TIMEOUT_SECONDS": "1",
    }
    with site.serving("hubbub", 1, **settings) as [server]:
        async with SlowReader(server.port, cookie, 10_000) as living, SlowReader(server.port, cookie, 10_000) as dead:
            await asyncio.gather(living.wait_for("hello", 10), dead.wait_for("hello", 10))
            clock.write_text(str(step))
            dead.answers_pings = False
            pings, began = living.pings, time.monotonic()
            async with asyncio.timeout(15):
                while dead.code is None or living.pings < pings + 2:
                    await asyncio.sleep(0.1)
            assert time.monotonic() - began > 1
            assert living.code is None
            assert dead.code == 1006
