"""`hubbub.redis`: the site's Redis for features and for programs beside the web processes."""

import asyncio
from typing import Any

import pytest
from django.test import override_settings

from hubbub import redis, site
from hubbub.site import lease


def test_clients_use_the_redis_of_the_settings_and_check_each_connection() -> None:
    with override_settings(HUBBUB={"REDIS_URL": "redis://192.0.2.1:7000/3"}):
        for client, check in (
            (redis.connect(seconds=1.5), lease.on_connect),
            (redis.connect_sync(seconds=1.5), lease.on_connect_sync),
        ):
            options = client.connection_pool.connection_kwargs
            assert (options["host"], options["port"], options["db"]) == ("192.0.2.1", 7000, 3)
            assert (options["socket_timeout"], options["redis_connect_func"]) == (1.5, check)


def test_a_key_has_the_prefix_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_site", site.Site("shop"))
    assert redis.key("cart:epoch") == "shop:cart:epoch"
    monkeypatch.setattr(site, "_taken_by", "another database")
    with pytest.raises(site.PrefixTaken):
        redis.key("cart:epoch")


@pytest.mark.parametrize("refusal", [lease.ClusterRefused, lambda: site.PrefixTaken("shop")])
def test_a_program_that_must_not_start_gets_one_sentence(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise refusal()

    monkeypatch.setattr(lease, "claim_at_start", refuse)
    with pytest.raises(redis.RedisRefused) as refused:
        redis.claim()
    assert str(refused.value) == str(refusal())


async def test_the_prefix_is_held_within_the_block_and_not_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    async def hold() -> None:
        events.append("holds")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("swallowed")  # As calls of redis-py sometimes do.
        try:
            await asyncio.Event().wait()
        finally:
            events.append("ended")

    monkeypatch.setattr(lease, "hold", hold)
    monkeypatch.setattr(site, "is_served", False)

    async def program() -> None:
        async with redis.holding():
            await asyncio.sleep(0)
            assert (events, site.is_served) == (["holds"], True)
            raise ValueError("of the program")

    with pytest.raises(ValueError, match="of the program"):
        await program()
    assert events == ["holds", "swallowed", "ended"]
