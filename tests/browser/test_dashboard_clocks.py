"""The dashboard while clocks are set, and with two machines of one name."""

import asyncio
import itertools
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_dashboard_page import COLOURED_CANVASES, becomes, holds, samples_pass
from tests.support.cluster import Cluster
from tests.support.servers import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

QUICK = {"HUBBUB_SAMPLE_SECONDS": "0.5", "HUBBUB_STALE_SECONDS": "2"}
# The publisher's host with its Redis, on which somebody sets the clock: by so many seconds as stand in a file.
CLOCK = """
import os
import time
if os.environ.get("HUBBUB_PROCESS") == "publisher":
    def ahead():
        try:
            return float(open({file!r}).read() or 0)
        except FileNotFoundError:
            return 0.0
    wall = time.time
    time.time = lambda: wall() + ahead()
    from monitor.store import Store
    of_redis = getattr(Store, "time", None)
    async def shifted(store):
        return await of_redis(store) + ahead()
    Store.time = shifted
"""


@pytest.fixture(scope="module")
def with_a_clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("clock")
    (folder / "sitecustomize.py").write_text(CLOCK.format(file=str(folder / "ahead")))
    with Cluster(folder, processes=2, **QUICK, PYTHONPATH=f"{folder}{os.pathsep}{ROOT}") as cluster:
        yield cluster


async def opened(browser: Browser, cluster: Cluster, cookie: str) -> Page:
    context = await browser.new_context()
    host = urlsplit(cluster.url).hostname
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
    page = await context.new_page()
    await page.goto(f"{cluster.url}/monitor/")
    await becomes(page, "live")
    return page


@pytest.mark.parametrize("seconds", [-600, 3600])
async def test_the_charts_go_on_when_the_clock_is_set(browser: Browser, with_a_clock: Cluster, seconds: int) -> None:
    cluster = with_a_clock
    cookie = (await asyncio.to_thread(cluster.make_user, "mona", "view_dashboard"))["cookie"]
    async with cluster.client("/ws/monitor/", cookie=cookie) as client:
        await client.request("join", topic="metrics")
        before = await opened(browser, cluster, cookie)
        await samples_pass(before, 4)
        (cluster.folder / "ahead").write_text(str(seconds))
        await samples_pass(before, 8)
        after = await opened(browser, cluster, cookie)
        await samples_pass(after, 4)
        for page in (before, after):
            await becomes(page, "live")
            await holds(page, f"() => ({COLOURED_CANVASES})() === 4")
        samples = [await client.event("metrics.sampled") for _ in range(15)]
    times = [datetime.fromisoformat(sample["at"]).timestamp() for sample in samples]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    versions = [(sample["epoch"], sample["seq"]) for sample in samples]
    assert versions == [(versions[0][0], versions[0][1] + number) for number in range(15)]


async def test_two_machines_with_one_host_name_are_two_cards(browser: Browser, tmp_path: Path) -> None:
    with Cluster(tmp_path / "one", processes=1, **QUICK) as first:
        joint = {"DATABASE_URL": first.database_url, "REDIS_URL": f"unix://{first.run_dir}/redis.sock"}
        keys = {"SECRET_KEY": (first.folder / "secret_key").read_text()}
        cookie = (await asyncio.to_thread(first.make_user, "mona", "view_dashboard"))["cookie"]
        with Cluster(tmp_path / "two", processes=1, **QUICK, **joint, **keys):
            page = await opened(browser, first, cookie)
            cards = page.locator(".host")
            await expect(cards).to_have_count(2)
            names = await page.locator(".host [data-part=name]").all_inner_texts()
            assert len(set(names)) == 2
            assert all(name.startswith(f"{socket.gethostname()} (") for name in names)
            # Both report, and neither flickers.
            for _ in range(4):
                await samples_pass(page, 2)
                await expect(page.locator(".host .state")).to_have_text(["Live", "Live"])
                assert await page.locator(".host [data-part=name]").all_inner_texts() == names
            rows = page.locator("[data-part=processes] tr")
            await expect(rows).to_have_count(2)
            hosts = [text.split(" · ")[0] for text in await rows.locator("[data-part=host]").all_inner_texts()]
            assert sorted(hosts) == sorted(names)
            await cards.nth(1).locator("button").click()
            await expect(page.locator("[data-part=charts-of]")).to_have_text(names[1])
            if folder := os.environ.get("SCREENSHOTS"):
                await page.screenshot(path=f"{folder}/two-hosts.png", full_page=True)
