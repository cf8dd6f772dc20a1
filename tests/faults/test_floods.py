"""A socket that sends too much is warned, then closed. Other sockets are unaffected."""

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

import psutil
import pytest

from tests.support.client import Client, opened
from tests.support.flood import FRAMES_PER_SECOND
from tests.support.servers import DEFAULT_LIMITS, ROOT, Server, Site
from tests.support.stats import note
from tests.support.stuck_client import MIB

pytestmark = pytest.mark.cluster

SENDERS = 8
RATE = 64.0  # Messages a second, of all senders together.
MEASURED_SECONDS = 5.0
# Below this it is the machine's other work that is measured.
MIN_P99_SECONDS = 0.15
# The flooder comes back again and again: each of these sockets keeps some frames until its close has ended.
MAX_GROWN = 24 * MIB


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("floods"))
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    return site


@pytest.fixture(scope="module")
def tokens(site: Site) -> list[str]:
    return site.shell(
        f"""
        from django.contrib.auth import get_user_model
        from hubbub.auth.tokens import create_token
        for number in range({SENDERS + 2}):
            user = get_user_model().objects.create_user(username=f"user-{{number}}")
            print(create_token(user=user, name="test", expires_at=None)[1])
        """
    ).split()


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, **DEFAULT_LIMITS) as (server,):
        yield server
        assert "Traceback" not in server.log.read_text()


class Talk:
    """Some who write and one who reads; `delays` has the seconds from each message's sending to its arrival."""

    def __init__(self, senders: Sequence[Client], reader: Client) -> None:
        self._senders = senders
        self._reader = reader

    async def p99(self, seconds: float) -> float:
        count = round(seconds * RATE)
        sent_at: dict[str, float] = {}
        delays: list[float] = []

        async def read() -> None:
            while len(delays) < count:
                message = (await self._reader.event("message.posted"))["message"]
                if message["id"] in sent_at:
                    delays.append(time.monotonic() - sent_at[message["id"]])

        async def answered(sender: Client, number: int) -> None:
            for _ in range(number):
                answer = await sender._read(10)
                assert answer["type"] == "ok", answer

        reading = asyncio.create_task(read())
        share = count // SENDERS
        answers = [asyncio.create_task(answered(sender, share)) for sender in self._senders]
        began = time.monotonic()
        for number, sender in zip(range(share * SENDERS), itertools.cycle(self._senders), strict=False):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            message_id = str(uuid4())
            sent_at[message_id] = time.monotonic()
            post = {"type": "message.post", "ref": number, "topic": "room/lounge", "id": message_id, "body": "hello"}
            await sender.send(post)
        count = share * SENDERS
        await asyncio.gather(reading, *answers)
        return statistics.quantiles(delays, n=100)[98]


async def flood(server: Server, token: str, commands: Sequence[str]) -> tuple[int, list[tuple[float, int, list[str]]]]:
    """Frames sent; and the end of each socket."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.flood", str(server.port), token, str(MEASURED_SECONDS)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate("\n".join(commands).encode())
    report = json.loads(said)
    return report["sent"], report["ends"]


def pings() -> list[str]:
    return [f'{{"type":"ping","ref":{number}}}' for number in range(1000)]


def posts() -> list[str]:
    return [
        json.dumps({"type": "message.post", "ref": number, "topic": "room/lounge", "id": str(uuid4()), "body": "flood"})
        for number in range(20_000)
    ]


@pytest.mark.parametrize("kind", ["pings", "posts"])
async def test_a_flood_is_closed_with_4102_and_the_others_do_not_notice(
    server: Server, tokens: list[str], kind: str
) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(opened(server.url, token=token)) for token in tokens[1:]]
        await clients[-1].join("lounge")
        talk = Talk(clients[:-1], clients[-1])
        await talk.p99(1.0)
        calm = await talk.p99(MEASURED_SECONDS)
        before = psutil.Process(server.process.pid).memory_info().rss
        flooding = asyncio.create_task(flood(server, tokens[0], pings() if kind == "pings" else posts()))
        flooded = await talk.p99(MEASURED_SECONDS)
        sent, ends = await flooding
        grown = psutil.Process(server.process.pid).memory_info().rss - before
    note("p99 before", calm)
    note("p99 in the flood", flooded)
    note("closed after", max(end[0] for end in ends))
    note("memory grown, MiB", grown / MIB)
    assert sent > FRAMES_PER_SECOND / 10
    for seconds, code, codes in ends:
        assert (code, set(codes) - {"", "rate_limited"}) == (4102, set())
        assert seconds < 5
    assert "rate_limited" in ends[0][2]
    assert flooded < 2 * max(calm, MIN_P99_SECONDS)
    assert grown < MAX_GROWN
    log = server.log.read_text()
    assert log.count("rate_limited address=") == log.count("flood_closed address=") == 1
