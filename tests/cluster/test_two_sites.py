"""Two sites on one Redis hear nothing of each other; a copy of a site's database does not start beside it."""

import asyncio
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.client import opened
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import OwnRedis
from tests.support.servers import ROOT, Server, Site, run

pytestmark = pytest.mark.cluster

KEY = "one key for both"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """An empty, running PostgreSQL."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path / "redis.sock") as redis_server:
        redis_server.start()
        yield redis_server


def make_site(folder: Path, url: str, **settings: str) -> Site:
    folder.mkdir(mode=0o700)
    return Site(folder, REDIS_URL=url, SECRET_KEY=KEY, **settings)


def prefix_of(site: Site) -> str:
    return site.shell("from hubbub import site; print(site.identify().prefix)")


def copied(original: Site, folder: Path) -> Site:
    """A site whose database is a copy of the other's, as `cp` or pg_dump makes it."""
    folder.mkdir(mode=0o700)
    shutil.copy(original.folder / "site.sqlite3", folder / "site.sqlite3")
    return Site(folder, REDIS_URL=original.env["REDIS_URL"], SECRET_KEY=KEY)


def refusal(site: Site, *command: str) -> str:
    """Run a command; assert that it fails, and return its error output."""
    ran = run(command, site.env)
    assert ran.returncode == 1, ran.stderr
    return ran.stderr.strip()


def readiness(server: Server) -> dict[str, Any]:
    try:
        answer = urllib.request.urlopen(f"{server.url}/readyz", timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        reading: dict[str, Any] = json.load(answer)
        return reading


async def until_redis_is(server: Server, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in (await asyncio.to_thread(readiness, server))["redis"]:
            await asyncio.sleep(0.1)


async def test_two_sites_on_one_redis_are_isolated_also_with_other_database_numbers(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    first = await asyncio.to_thread(make_site, tmp_path / "first", f"{own_redis.url}?db=0")
    second = await asyncio.to_thread(make_site, tmp_path / "second", f"{own_redis.url}?db=1")
    with first.serving("hubbub", 1) as (here,), second.serving("hubbub", 1) as (there,):
        alice, bob = first.make_user("alice")["cookie"], second.make_user("bob")["cookie"]
        async with opened(here.url, cookie=alice) as talks, opened(there.url, cookie=bob) as hears:
            await asyncio.gather(talks.join("general"), hears.join("general"))
            await talks.post("general", "for the first site")
            assert (await talks.event("message.posted"))["message"]["body"] == "for the first site"
            await hears.post("general", "for the second site")
            # The first that the second site hears is its own, over the same Redis.
            assert (await hears.event("message.posted"))["message"]["body"] == "for the second site"
        with redis.from_url(own_redis.url) as client:
            names = [channel.decode() for channel in (*client.pubsub_channels(), *client.scan_iter())]
    prefixes = (await asyncio.to_thread(prefix_of, first), await asyncio.to_thread(prefix_of, second))
    assert len({*prefixes}) == 2
    assert [name for name in names if not name.startswith(prefixes)] == []


@pytest.mark.timeout(300)  # A dozen commands, one after another.
def test_a_copy_of_the_database_is_refused_in_one_line_until_it_has_an_id_of_its_own(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    site = make_site(tmp_path / "site", own_redis.url)
    prefix = prefix_of(site)
    with site.serving("hubbub", 1):
        copy = copied(site, tmp_path / "copy")
        copy.env["REDIS_URL"] += "?db=3"
        server = ["-m", "hubbub.server", "-p", "0", "project.asgi:application"]
        for command in (["manage.py", "up", "--port", "0"], server, ["manage.py", "publish_metrics"]):
            said = refusal(copy, *command)
            assert said.count("\n") == 0
            assert f"another database uses Redis under this site's prefix {prefix}" in said
            assert '"manage.py renew_site"' in said
        assert prefix not in copy.manage("renew_site")
        with copy.serving("hubbub", 1) as (moved_server,):
            assert readiness(moved_server)["redis"] == "ok"


def test_a_copy_of_a_postgresql_database_is_refused_as_well(
    tmp_path: Path, own_redis: OwnRedis, postgresql: PostgreSQL
) -> None:
    """Of the same server, as pg_dump and psql make it."""
    site = make_site(tmp_path / "site", own_redis.url, DATABASE_URL=postgresql.create("original"))
    prefix = prefix_of(site)
    with site.serving("hubbub", 1):
        copy = make_site(tmp_path / "copy", own_redis.url, DATABASE_URL=postgresql.copy("original", "copy"))
        assert prefix_of(copy) == prefix
        said = refusal(copy, "manage.py", "up", "--port", "0")
        assert f"another database uses Redis under this site's prefix {prefix}" in said
        assert prefix not in copy.manage("renew_site")
        with copy.serving("hubbub", 1) as (server,):
            assert readiness(server)["redis"] == "ok"


def test_two_sites_with_the_same_prefix_get_an_error_with_the_setting(tmp_path: Path, own_redis: OwnRedis) -> None:
    first = make_site(tmp_path / "first", own_redis.url, HUBBUB_PREFIX="shared")
    second = make_site(tmp_path / "second", own_redis.url, HUBBUB_PREFIX="shared")
    with first.serving("hubbub", 1):
        assert 'give it another HUBBUB["PREFIX"]' in refusal(second, "manage.py", "up", "--port", "0")


def test_a_site_that_moved_starts_once_the_lease_of_its_old_processes_has_ended(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    site = make_site(tmp_path / "site", own_redis.url)
    with site.serving("hubbub", 1):
        pass
    moved = copied(site, tmp_path / "moved")
    with redis.from_url(own_redis.url) as client:
        assert 50_000 < client.pttl(f"{prefix_of(site)}:site") <= 60_000
        client.pexpire(f"{prefix_of(site)}:site", 4_000)  # As it is almost a minute later.
    with moved.serving("hubbub", 1) as (server,):
        assert readiness(server)["redis"] == "ok"


async def test_a_process_that_finds_anothers_fingerprint_after_a_flush_leaves_redis_alone_and_serves(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    site = await asyncio.to_thread(make_site, tmp_path / "site", own_redis.url)
    name = f"{await asyncio.to_thread(prefix_of, site)}:site"
    with site.serving("hubbub", 2) as (first, two):
        cookie = site.make_user("alice")["cookie"]
        with redis.from_url(own_redis.url) as client:
            own = client.get(name)
            own_redis.empty()
            async with asyncio.timeout(20):
                while client.get(name) != own:  # Written again.
                    await asyncio.sleep(0.1)
            client.set(name, "sqlite:1:1", px=60_000)
            await until_redis_is(first, "another database uses Redis")
            await until_redis_is(two, "another database uses Redis")
            for key in {*client.scan_iter()} - {name.encode()}:
                client.delete(key)
            assert (await asyncio.to_thread(readiness, first))["state"] == "degraded"
            async with (
                opened(first.url, cookie=cookie) as talks,
                opened(two.url, cookie=cookie) as hears,
            ):
                await asyncio.gather(talks.join("general"), hears.join("general"))
                await talks.post("general", "by the database")
                assert (await hears.event("message.posted", 5))["message"]["body"] == "by the database"
            assert [*client.scan_iter()] == [name.encode()]
            assert first.log.read_text().count("Redis is not used") == 1
            client.pexpire(name, 100)  # The other one's lease ends.
            await until_redis_is(first, "ok")


def test_a_process_that_starts_without_its_database_serves_probes_and_uses_no_channel(
    tmp_path: Path, own_redis: OwnRedis, postgresql: PostgreSQL
) -> None:
    site = make_site(tmp_path / "site", own_redis.url, DATABASE_URL=postgresql.create("late"))
    prefix = prefix_of(site)
    with (
        postgresql.stopped(),
        site.serving("hubbub", 1) as (server,),
        redis.from_url(own_redis.url) as client,
    ):
        assert client.pubsub_channels() == []
        reading = readiness(server)
        assert reading["state"] == "unavailable"
        assert "prefix is not known yet" in reading["redis"]
        postgresql.start()
        asyncio.run(until_redis_is(server, "ok"))
        asyncio.run(until_subscribed(client, prefix))


def test_with_a_prefix_by_the_setting_no_database_is_needed(
    tmp_path: Path, own_redis: OwnRedis, postgresql: PostgreSQL
) -> None:
    site = make_site(tmp_path / "site", own_redis.url, DATABASE_URL=postgresql.create("told"), HUBBUB_PREFIX="told")
    with postgresql.stopped(), site.serving("hubbub", 1), redis.from_url(own_redis.url) as client:
        asyncio.run(until_subscribed(client, "told"))


async def until_subscribed(client: redis.Redis, prefix: str) -> None:
    async with asyncio.timeout(20):
        while not any(channel.startswith(prefix.encode()) for channel in client.pubsub_channels()):
            await asyncio.sleep(0.1)


def test_two_hosts_that_are_first_at_once_make_one_id(tmp_path: Path, postgresql: PostgreSQL) -> None:
    site = make_site(tmp_path / "site", "unix:///nowhere", DATABASE_URL=postgresql.create("first"))
    code = "from hubbub import site; from django.db import connection; connection.ensure_connection(); "
    code = f"import django; django.setup(); {code} input(); print(site.identify().prefix)"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=site.env | {"DJANGO_SETTINGS_MODULE": "project.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for server in both:
        assert server.stdin
        server.stdin.write("\n")
        server.stdin.flush()
    assert len({server.communicate(timeout=60)[0] for server in both}) == 1
