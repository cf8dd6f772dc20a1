"""Clients of a scripted server, and what they take of a topic."""

import asyncio
from collections.abc import Callable
from typing import Any

from hubbub.client import Client, Subscription
from tests.support.scripted_server import SECONDS, Frame

ALICE, BOB = {"id": "7", "name": "alice"}, {"id": "8", "name": "bob"}


def client(url: str, **options: Any) -> Client:
    return Client(url, token="hub_x", **options)


async def take(subscription: Subscription, count: int) -> list[Frame]:
    """The next events."""
    async with asyncio.timeout(SECONDS):
        return [await anext(subscription) for _ in range(count)]


def positions(events: list[Frame]) -> list[int]:
    return [event["position"] for event in events]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.005)
