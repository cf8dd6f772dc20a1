"""Two sites on one Redis hear nothing of each other; a copy of a site's database does not start beside it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.faults.redis_server import OwnRedis
from tests.postgresql import PostgreSQL
from tests.servers import ROOT, Server, Site

pytestmark = pytest.mark.cluster

KEY = "one key for both"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path / "redis.sock") as one:
        one.start()
        yield one


def make_site(folder: Path, url: str, **settings: str) -> Site:
    folder.mkdir()
    return Site(folder, REDIS_URL=url, SECRET_KEY=KEY, **settings)


def prefix_of(site: Site) -> str:
    return site.shell("from realtime import site; print(site.identify().prefix)")


def refusal(site: Site, *command: str) -> str:
    """What a command that must not start says."""
    ran = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=site.env, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1, ran.stderr
    return ran.stderr.strip()


async def test_two_sites_on_one_redis_with_other_database_numbers_hear_nothing_of_each_other(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    first = await asyncio.to_thread(make_site, tmp_path / "first", f"{own_redis.url}?db=0")
    second = await asyncio.to_thread(make_site, tmp_path / "second", f"{own_redis.url}?db=1")
    with first.serving("hubbub", 1) as (here,), second.serving("hubbub", 1) as (there,):
        alice, bob = first.make_user("alice")["cookie"], second.make_user("bob")["cookie"]
        async with opened_room(here, alice) as talks, opened_room(there, bob) as hears:
            await talks.request("message.post", room="general", id=str(uuid4()), body="only for the first site")
            assert (await talks.event("message.posted"))["body"] == "only for the first site"
            await hears.request("message.post", room="general", id=str(uuid4()), body="only for the second")
            # The second's own message is the first that the second hears: both went over the same Redis.
            assert (await hears.event("message.posted"))["body"] == "only for the second"
        with redis.from_url(own_redis.url) as client:
            channels = [one.decode() for one in client.pubsub_channels()]
            keys = [one.decode() for one in client.scan_iter()]
    prefixes = (await asyncio.to_thread(prefix_of, first), await asyncio.to_thread(prefix_of, second))
    assert len({*prefixes}) == 2
    assert all(one.startswith(prefixes) for one in channels + keys)
    assert {one.partition(":")[0] for one in keys} == {*prefixes}
