"""The main faults once more, for clients over HTTP: streams of server-sent events and POST. The checker is the same."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from uuid import uuid4

import pytest

from chaos.connecting import Address
from chaos.recording import Recorder
from hubbub.client.timing import SILENCE_SECONDS
from tests.support.cluster import Cluster, until
from tests.support.conversation import Talk, talking
from tests.support.door_client import by_cookie
from tests.support.redis_server import OwnRedis
from tests.support.stats import note
from tests.support.stuck_client import BIG_BODY

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

HEARTBEAT_SECONDS = 1
RESTART = 1012
SLOW_READER = 4101
SESSION_ENDED = 4003
TOKEN_ENDED = (4001, SESSION_ENDED)
OUTBOX_BYTES = 64 * 1024
BIG_POSTS = 55  # More than an outbox and the kernel's buffers, and within a resume.


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis_server:
        redis_server.start()
        yield redis_server


@pytest.fixture(scope="module")
def site(redis: OwnRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = {"REDIS_URL": redis.url, "HUBBUB_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS)}
    settings |= {"HUBBUB_OUTBOX_BYTES": str(OUTBOX_BYTES)}
    with Cluster(tmp_path_factory.mktemp("over-http"), processes=2, **settings) as cluster:
        yield cluster


@pytest.fixture
async def talk(site: Cluster) -> AsyncIterator[Talk]:
    """Ten clients over HTTP: the senders' streams and posts are at web-1, the readers' streams at web-2."""
    await until(lambda: set(site.sockets) == {"web-1", "web-2"})
    async with talking(site, http=True) as conversation:
        await conversation.say(20)
        yield conversation
        assert conversation.report is not None


def losses(member: Recorder) -> list[int]:
    """The close codes of the streams that a client has lost."""
    return [end.code for end in member.log.ends if end.was_joined]


def join_refs(member: Recorder) -> set[int]:
    return {frame["ref"] for _, frame in member.log.events("ok") if "epoch" in frame}


async def one_more(
    talk: Talk, name: str, addresses: Callable[[], Sequence[Address]] | None = None
) -> tuple[Recorder, str]:
    """One more reader, at web-2 or where it is said; and the name of its user."""
    user = f"{name}-{uuid4().hex[:8]}"
    token = (await asyncio.to_thread(talk.cluster.make_user, user))["token"]
    return Recorder(name, talk.room, addresses or talk.cluster.addresses_of("web-2"), token=token, http=True), user


async def test_clients_of_a_killed_process_resume_on_another_one(talk: Talk) -> None:
    victim = talk.cluster.pid_of("web-2")
    assert victim
    os.kill(victim, signal.SIGKILL)
    await talk.say(60)
    await until(lambda: talk.cluster.pid_of("web-2") not in (None, victim))
    report = await talk.whole()
    assert len(report.recoveries) == len(talk.readers)
    assert max(report.recoveries) < 4.0
    # The new stream has joined by itself, in its address.
    assert all(0 in join_refs(reader) for reader in talk.readers)


async def test_a_drained_process_sends_its_streams_away(talk: Talk) -> None:
    victim = talk.cluster.pid_of("web-2")
    assert victim
    os.kill(victim, signal.SIGTERM)
    await talk.say(40)
    await until(lambda: not os.path.exists(f"/proc/{victim}"), 15)
    await until(lambda: talk.cluster.pid_of("web-2") not in (None, victim) and "web-2" in talk.cluster.sockets)
    await talk.whole()
    for reader in talk.readers:
        assert set(losses(reader)) == {RESTART}
    for sender in talk.senders:
        assert losses(sender) == []


async def test_a_stream_of_a_frozen_process_is_given_up(talk: Talk) -> None:
    victim = talk.cluster.pid_of("web-2")
    assert victim
    for reader in talk.readers:  # As by a proxy that notices: a frozen process takes connections and does not answer.
        reader.addresses = talk.cluster.addresses_of("web-1")
    began = time.monotonic()
    os.kill(victim, signal.SIGSTOP)
    try:
        await until(lambda: all(reader.log.recoveries for reader in talk.readers))
        note("resumed after", time.monotonic() - began)
        assert time.monotonic() - began > HEARTBEAT_SECONDS + SILENCE_SECONDS - 1
        # By the silence, and not because the process was replaced.
        assert talk.cluster.pid_of("web-2") == victim
        await talk.say(20)
    finally:
        os.kill(victim, signal.SIGCONT)
    await talk.whole()
    assert all(losses(sender) == [] for sender in talk.senders)


async def test_nothing_is_missed_while_redis_is_away(talk: Talk, redis: OwnRedis) -> None:
    # The stream of this one and its commands are at any process.
    anywhere, _ = await one_more(talk, "anywhere", lambda: [Address(talk.cluster.url)])
    talk.readers.append(anywhere)
    async with anywhere:
        await anywhere.wait_until_joined()
        redis.stop()
        await talk.say(60)
        # A stream that opens meanwhile joins by itself: a process could not hand a command on to another one.
        for reader in talk.readers:
            reader.cut()
        await until(lambda: all(reader.log.recoveries for reader in talk.readers))
        await talk.say(20)
        redis.start()
        await talk.say(40)
        await talk.whole()
    assert all(losses(sender) == [] for sender in talk.senders)


async def test_a_slow_reader_is_cut_and_resumes(talk: Talk) -> None:
    slow, *others = talk.readers
    before = (await talk.cluster.counters("web-2"))["slow_readers"]
    for transport in slow.transports:
        transport.pause_reading()
    for _ in range(BIG_POSTS):
        await talk.senders[0].post(BIG_BODY)
    async with asyncio.timeout(5):
        while (await talk.cluster.counters("web-2"))["slow_readers"] == before:
            await asyncio.sleep(0.1)
    assert (await talk.cluster.counters("web-2"))["slow_readers"] == before + 1
    for transport in slow.transports:
        transport.resume_reading()
    await until(lambda: slow.log.recoveries)
    await talk.say(20)
    await talk.whole()
    assert len(losses(slow)) == 1
    assert set(losses(slow)) <= {SLOW_READER, 1006}
    assert all(losses(other) == [] for other in others)


def assert_whole_up_to_its_end(gone: Recorder, talk: Talk) -> None:
    """It has each message up to its last one, once and in order, as the others have them."""
    view, other = gone.log.view, talk.readers[0].log.view
    assert [*gone.log.breaches, *view.breaches] == []
    assert view.position
    assert not view.skipped
    for seq, message in view.messages.items():
        assert message["body"] == other.messages[seq]["body"]
    assert set(view.messages) == set(range(min(view.messages), max(view.messages) + 1))


async def test_a_stream_ends_with_its_token(talk: Talk) -> None:
    gone, user = await one_more(talk, "leaver")
    async with gone:
        await gone.wait_until_joined()
        await talk.say(20)
        end = "from hubbub.auth import revoke_token; from hubbub.models import AccessToken; "
        end += f"revoke_token(AccessToken.objects.get(user__username={user!r}))"
        await asyncio.to_thread(talk.cluster.shell, end)
        await until(lambda: gone.evicted)
        await talk.say(20)
    assert gone.evicted in TOKEN_ENDED
    await talk.whole()
    assert_whole_up_to_its_end(gone, talk)
    assert all(losses(member) == [] for member in talk.everybody)


ENDS = {
    "sign-out elsewhere": "Session.objects.get(pk=cookie).delete()",
    "password": "user.set_password('another long one'); user.save()",
    "deactivation": "user.is_active = False; user.save()",
    "deletion": "user.delete()",
}


@pytest.mark.parametrize("way", ENDS)
async def test_a_page_s_stream_ends_with_its_session(talk: Talk, way: str) -> None:
    name = f"page-{uuid4().hex[:8]}"
    cookie = (await asyncio.to_thread(talk.cluster.make_user, name))["cookie"]
    page = by_cookie(talk.cluster.url, cookie)
    async with page.stream(f"room/{talk.room}") as stream:
        hello, answer = await stream.frame("hello"), await stream.frame("ok")
        page.headers = page.headers | {"X-CSRFToken": hello["csrf"]}
        await talk.say(20)
        end = f"""
        from django.contrib.auth import get_user_model
        from django.contrib.sessions.models import Session
        user, cookie = get_user_model().objects.get(username={name!r}), {cookie!r}
        {ENDS[way]}
        """
        await asyncio.to_thread(talk.cluster.shell, end)
        close = await stream.ended()
        await talk.say(20)
    assert close is not None
    assert close["code"] == SESSION_ENDED
    refused = await page.command("message.post", topic=f"room/{talk.room}", id=str(uuid4()), body="late")
    assert refused.status in (401, 403)
    await talk.whole()
    # What it got before the end is whole and in order.
    positions = [frame["position"] for frame in stream.frames if frame["type"] == "message.posted"]
    assert positions == [*range(answer["position"] + 1, answer["position"] + 1 + len(positions))]
    assert len(positions) >= 20
    assert all(losses(member) == [] for member in talk.everybody)


async def test_a_closed_room_leaves_the_stream_open(talk: Talk) -> None:
    gone, user = await one_more(talk, "banned")
    async with gone:
        await gone.wait_until_joined()
        await talk.say(20)
        ban = f"""
        from datetime import timedelta
        from django.contrib.auth import get_user_model
        from django.utils import timezone
        from chat import services
        from chat.models import Room
        room, user = Room.objects.get(slug={talk.room!r}), get_user_model().objects.get(username={user!r})
        until = timezone.now() + timedelta(days=1)
        services.set_membership(room_id=room.pk, user_id=user.pk, banned_until=until)
        """
        await asyncio.to_thread(talk.cluster.shell, ban)
        await until(lambda: gone.log.view.closed)
        await talk.say(20)
        assert gone.log.view.closed == "banned"
        assert not gone.log.view.is_live
        assert gone.log.ends == []
    await talk.whole()
    assert_whole_up_to_its_end(gone, talk)
    assert all(losses(member) == [] for member in talk.everybody)
