"""A message has one id for ever: sent twice, raced, after a lost answer or a dead process, it is one message."""

import asyncio
import json
import os
import signal
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import Client, Frame
from tests.support.cluster import Cluster, until

pytestmark = pytest.mark.cluster

ROUNDS = 50


@pytest.fixture(scope="module")
def cluster(on_each_database: Cluster) -> Cluster:
    return on_each_database


@pytest.fixture(scope="module")
def people(cluster: Cluster) -> dict[str, str]:
    """Session cookies."""
    return {name: cluster.make_user(f"same-{name}")["cookie"] for name in ("alice", "bob")}


@pytest.fixture
def room(cluster: Cluster) -> str:
    return make_room(cluster)


def make_room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    return cluster.shell(f"from chat import services; print(services.create_room(slug={slug!r}, title='Test').slug)")


async def test_one_id_on_two_processes_at_the_same_instant_is_one_message(
    cluster: Cluster, people: dict[str, str], room: str
) -> None:
    async with (
        cluster.client(cookie=people["alice"], process="web-1") as here,
        cluster.client(cookie=people["alice"], process="web-2") as there,
        cluster.client(cookie=people["bob"], process="web-2") as bob,
    ):
        await bob.join(room)
        ids = [str(uuid4()) for _ in range(ROUNDS)]
        for number, message_id in enumerate(ids, 1):
            answers = await asyncio.gather(*(client.post(room, "once", message_id) for client in (here, there)))
            assert answer_of(answers[0]) == answer_of(answers[1])
            assert answers[0]["seq"] == number
        # All at once, too: many of the same ids in one batch and in two.
        more = [str(uuid4()) for _ in range(15)]
        answers = await asyncio.gather(send_all(here, room, more * 2), send_all(there, room, more * 2))
        for post in more:
            assert len({answer_of(frame) for answer in answers for frame in answer[post]}) == 1
        assert await heard(bob, ROUNDS + 15) == Counter(ids + more)


async def test_an_id_in_capitals_is_the_same_id(cluster: Cluster, people: dict[str, str], room: str) -> None:
    async with cluster.client(cookie=people["alice"]) as alice, cluster.client(cookie=people["bob"]) as bob:
        await bob.join(room)
        message_id = str(uuid4())
        answers = [await alice.post(room, "once", post) for post in (message_id.upper(), message_id)]
        assert answer_of(answers[0]) == answer_of(answers[1])
        assert await heard(bob, 1) == Counter([message_id])


async def test_the_longest_text_is_taken_with_its_letters_as_escapes(
    cluster: Cluster, people: dict[str, str], room: str
) -> None:
    """As programs send it whose JSON is in ASCII: a letter has 6 bytes then, an emoji 12."""
    async with cluster.client(cookie=people["alice"]) as alice:
        for letter in ("漢", "\U0001f642"):
            body = letter * 4_000
            frame = {"type": "message.post", "ref": letter, "topic": f"room/{room}", "id": str(uuid4()), "body": body}
            await alice.send(json.dumps(frame, ensure_ascii=True))
            assert (await alice.answer(letter))["type"] == "ok"
        await alice.join(room)
        assert (await alice.request("ping"))["type"] == "pong"


async def test_a_lost_answer_is_given_again(cluster: Cluster, people: dict[str, str], room: str) -> None:
    async with cluster.client(cookie=people["bob"], process="web-1") as bob:
        await bob.join(room)
        ids = [str(uuid4()) for _ in range(ROUNDS)]
        for number, message_id in enumerate(ids):
            here, there = ("web-1", "web-2") if number % 2 else ("web-2", "web-1")
            async with cluster.client(cookie=people["alice"], process=here) as alice:
                await alice.send(
                    {"type": "message.post", "ref": 1, "topic": f"room/{room}", "id": message_id, "body": "once"}
                )
                if number % 3 == 0:
                    await asyncio.sleep(0.002)  # It may have been taken by then, or not.
                alice.socket.transport.abort()
            # At once: what was taken may still be in work.
            async with cluster.client(cookie=people["alice"], process=there) as alice:
                answers = [await alice.post(room, "once", message_id) for _ in range(2)]
            assert answer_of(answers[0]) == answer_of(answers[1])
        assert await heard(bob, ROUNDS) == Counter(ids)
        assert len((await bob.join(room))["messages"]) == ROUNDS


async def test_the_first_answer_is_given_whatever_happened_since(
    cluster: Cluster, people: dict[str, str], room: str
) -> None:
    message_id = str(uuid4())
    async with (
        cluster.client(cookie=people["alice"], process="web-1") as alice,
        cluster.client(cookie=people["bob"], process="web-2") as bob,
    ):
        await bob.join(room)
        first = answer_of(await alice.post(room, "the first words", message_id))
        assert answer_of(await alice.post(room, "other words", message_id)) == first
        assert answer_of(await alice.post(room, "   ", message_id)) == first  # Even what alone would be refused.
        await alice.ask(room, "message.edit", seq=1, body="edited")
        assert answer_of(await alice.post(room, "other words", message_id)) == first
        await alice.ask(room, "message.delete", seq=1)
        assert answer_of(await alice.post(room, "other words", message_id)) == first
        await asyncio.to_thread(archive, cluster, room)
        assert answer_of(await alice.post(room, "other words", message_id)) == first
        assert (await alice.post(room, "a new one"))["code"] == "forbidden"
        kinds: list[str] = []
        while len(kinds) < 4:
            frame = await bob.receive()
            if "position" in frame:  # Not: who comes and goes.
                kinds.append(frame["type"])
        assert kinds == ["message.posted", "message.edited", "message.deleted", "room.changed"]
        [message] = (await bob.join(room))["messages"]
        assert (message["body"], message["deleted"]) == ("", True)


async def test_the_id_of_another_user_or_in_another_room_is_another_message(
    cluster: Cluster, people: dict[str, str], room: str
) -> None:
    message_id, other_room = str(uuid4()), await asyncio.to_thread(make_room, cluster)
    async with (
        cluster.client(cookie=people["alice"], process="web-1") as alice,
        cluster.client(cookie=people["bob"], process="web-2") as bob,
    ):
        answers = await asyncio.gather(alice.post(room, "hers", message_id), bob.post(room, "his", message_id))
        assert sorted(answer["seq"] for answer in answers) == [1, 2]
        assert (await alice.post(other_room, "elsewhere", message_id))["seq"] == 1
        messages = (await bob.join(room))["messages"]
        assert {(message["id"], message["body"]) for message in messages} == {(message_id, "hers"), (message_id, "his")}


async def test_an_id_outlives_the_process_that_took_it(own_cluster: Cluster) -> None:
    alice, bob = (own_cluster.make_user(name)["cookie"] for name in ("alice", "bob"))
    room = make_room(own_cluster)
    async with own_cluster.client(cookie=bob, process="web-2") as listener:
        await listener.join(room)
        ids = [str(uuid4()) for _ in range(20)]
        async with own_cluster.client(cookie=alice, process="web-1") as sender:
            answered = {
                message_id: answer_of(await sender.post(room, message_id, message_id)) for message_id in ids[:10]
            }
            for number, message_id in enumerate(ids[10:]):
                await sender.send(
                    {
                        "type": "message.post",
                        "ref": number,
                        "topic": f"room/{room}",
                        "id": message_id,
                        "body": message_id,
                    }
                )
            before = own_cluster.pid_of("web-1")
            assert before
            os.kill(before, signal.SIGKILL)
        # On the process that lives, at once, and on the one that comes in its place.
        async with own_cluster.client(cookie=alice, process="web-2") as sender:
            for message_id in ids:
                first = answer_of(await sender.post(room, message_id, message_id))
                assert answered.setdefault(message_id, first) == first
        await until(lambda: own_cluster.pid_of("web-1") not in (None, before))
        await until_served(own_cluster, alice, "web-1")
        async with own_cluster.client(cookie=alice, process="web-1") as sender:
            for message_id in ids:
                assert answer_of(await sender.post(room, message_id, message_id)) == answered[message_id]
        assert await heard(listener, len(ids)) == Counter(ids)
        joined = await listener.join(room)
        assert [message["id"] for message in joined["messages"]] == sorted(
            ids, key=lambda message_id: answered[message_id]
        )


def answer_of(frame: Frame) -> tuple[Any, ...]:
    assert frame["type"] == "ok", frame
    result = frame["result"]
    return result["seq"], result["position"], result["at"]


async def send_all(client: Client, room: str, ids: list[str]) -> dict[str, list[Frame]]:
    """Post them without waiting in between; the answers by id."""
    for number, message_id in enumerate(ids):
        await client.send(
            {"type": "message.post", "ref": f"all-{number}", "topic": f"room/{room}", "id": message_id, "body": "once"}
        )
    answers: dict[str, list[Frame]] = {}
    for number, message_id in enumerate(ids):
        answers.setdefault(message_id, []).append(await client.answer(f"all-{number}"))
    return answers


async def heard(client: Client, count: int) -> Counter[str]:
    """How often each id was posted: `count` events, and a moment to see whether there are more."""
    ids = [(await client.event("message.posted"))["message"]["id"] for _ in range(count)]
    try:
        while True:
            ids.append((await client.event("message.posted", 0.5))["message"]["id"])
    except TimeoutError:
        return Counter(ids)


def archive(cluster: Cluster, room: str) -> None:
    cluster.shell(
        f"""
        from chat import services
        from chat.models import Room
        services.change_room(room_id=Room.objects.get(slug={room!r}).pk, is_archived=True)
        """
    )


async def until_served(cluster: Cluster, cookie: str, process: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with cluster.client(cookie=cookie, process=process):
                    return
            except (OSError, KeyError):
                await asyncio.sleep(0.05)
