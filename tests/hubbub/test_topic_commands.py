"""Commands of topics that have one effect, commands that are only told, and topics of one user each."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from hubbub import VIEW, command, live
from hubbub.models import TopicOnce
from hubbub.protocol import Refused
from hubbub.publish.group_names import layer_group
from tests.support.declarations import declare
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.topics import ThermometerTopic
from tests.support.polls.trials import InboxTopic, ShelfTopic
from tests.support.together import meeting, run_together
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))


def put(user: Any, text: str, client_id: str, key: int = 1) -> Any:
    return ShelfTopic(key).put(user, text, id=client_id)


# Once


def test_one_id_at_the_same_instant_has_one_effect_and_one_answer(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShelfTopic, "between", staticmethod(meeting(0.2)))
    for number in range(5):
        results = run_together(*[lambda id=f"{number}": put(alice, "Tea", id)] * 3)
        assert results == [{"count": number + 1}] * 3
    assert Note.objects.count() == TopicOnce.objects.count() == 5


def test_an_attempt_that_was_rolled_back_is_not_kept(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("at the end")

    with monkeypatch.context() as patched:
        patched.setattr(ShelfTopic, "between", staticmethod(fail))
        with pytest.raises(RuntimeError):
            put(alice, "Tea", "a")
    with pytest.raises(Refused, match="not this text"):
        put(alice, "refused", "a")
    assert Note.objects.count() == TopicOnce.objects.count() == 0
    assert put(alice, "Tea", "a") == put(alice, "Tea", "a") == {"count": 1}


def test_an_id_belongs_to_one_command_and_its_arguments(alice: Any, bob: Any) -> None:
    put(alice, "Tea", "a")
    for call in (
        lambda: ShelfTopic(1).put(alice, "Coffee", id="a"),
        lambda: ShelfTopic(1).take(alice, "Tea", id="a"),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == "conflict"
    put(alice, "Tea", "a", key=2)
    put(bob, "Tea", "a")
    assert sorted(Note.objects.values_list("board", "position")) == [("1", 1), ("1", 2), ("2", 1)]


async def test_the_wire_and_a_view_answer_one_id_alike(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        first = await page.ask("put", topic="shelf/1", id="a", text="Tea")
        assert await in_thread(put)(alice, "Tea", "a") == {"count": 1}
        assert first["result"] == {"count": 1}
        for client_id in ("", "x" * 65, None, 7):
            answer = await page.ask("put", topic="shelf/1", id=client_id, text="Tea")
            assert (answer["code"], "id" in answer["detail"]) == ("invalid", True)
        assert (await page.ask("put", topic="shelf/1", text="Tea"))["code"] == "invalid"
    assert await Note.objects.acount() == 1


@pytest.mark.parametrize("client_id", ["", "x" * 65, 7, b"a", "a\0b", "a\ud800"], ids=ascii)
def test_a_wrong_id_from_python_is_refused_in_words(alice: Any, client_id: Any) -> None:
    for topic in (ShelfTopic(1), ShelfTopic(1).unchecked()):
        with pytest.raises(Refused, match="an id is text of 1 to 64 characters") as refused:
            topic.put(alice, "Tea", id=client_id)
        assert refused.value.code == "invalid"
    assert not Note.objects.exists()
    assert put(alice, "Tea", "x" * 64) == {"count": 1}


async def test_an_id_that_a_database_cannot_store_is_invalid(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        answer = await page.ask("put", topic="shelf/1", id="a\0b", text="Tea")
        assert (answer["code"], "id" in answer["detail"]) == ("invalid", True)


# Results


@pytest.mark.parametrize("fields", [{"type": "weigh"}, {"type": "weigh_once", "id": "a"}], ids=["plain", "once"])
async def test_a_command_whose_result_cannot_be_sent_has_no_effect(
    alice: Any, fields: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    kind, more = fields["type"], {name: value for name, value in fields.items() if name != "type"}
    async with opened(alice, TrialConsumer) as page:
        assert (await page.ask(kind, topic="shelf/1", size=-1, **more))["code"] == "internal"
        assert "Encoding objects of type object is unsupported" in caplog.text
        refused = await page.ask(kind, topic="shelf/1", size=1_000_000, **more)
        assert (refused["code"], "1000002 bytes" in refused["detail"]) == ("too_long", True)
        assert await Note.objects.acount() == await TopicOnce.objects.acount() == 0
        assert (await page.ask(kind, topic="shelf/1", size=3, **more))["result"] == "xxx"
    assert await Note.objects.acount() == 1


# Told


# Of a topic without presence: a frame of presence that waits at the same moment is a reason to drop what is told.
async def test_a_told_command_reaches_members_and_is_refused_to_others(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as other:
        assert (await page.ask("thermometer.typing", topic="thermometer"))["code"] == "conflict"
        for each in (page, other):
            await each.ask("join", topic="thermometer")
        await page.ask("thermometer.typing", topic="thermometer")
        expected = {"type": "typing", "topic": "thermometer", "name": "alice"}
        assert await other.next("typing") == await page.next("typing") == expected
        await page.ask("leave", topic="thermometer")
        assert (await page.ask("thermometer.typing", topic="thermometer"))["code"] == "conflict"


async def test_with_more_users_present_than_its_bound_a_told_command_has_no_effect(
    alice: Any, bob: Any, declared: Any
) -> None:
    def wave(self: Any, user: Any) -> None:
        waved.append(user.name)

    waved: list[str] = []
    topic = declare(presence=True, wave=command(permission=VIEW, told=True, max_present=1)(wave))
    async with opened(alice, live(topic)) as page:
        await page.ask("join", topic="thing")
        assert (await page.ask("wave", topic="thing"))["type"] == "ok"
        async with opened(bob, live(topic)) as other:
            await other.ask("join", topic="thing")
            while (await page.next("presence.changed"))["count"] < 2:
                pass
            assert (await page.ask("wave", topic="thing"))["type"] == "ok"
    assert waved == ["alice"]


async def test_a_told_command_from_a_view_has_the_user_of_the_wire(alice: Any, bob: Any) -> None:
    async with opened(bob) as page:
        await page.ask("join", topic="thermometer")
        for topic in (ThermometerTopic(), ThermometerTopic().unchecked()):
            await in_thread(topic.typing)(alice)
            assert await page.next("typing") == {"type": "typing", "topic": "thermometer", "name": "alice"}


async def test_a_client_that_does_not_read_gets_what_is_stored_and_not_what_is_told(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as slow:
        for each in (page, slow):
            await each.ask("join", topic="board/plan")
        slow.reads.clear()
        for number in ("1", "2"):
            await page.ask("note.add", topic="board/plan", id=number, text=number)
            await page.next("noted")
        await page.ask("note.typing", topic="board/plan")
        await page.next("typing")
        slow.reads.set()
        assert [(await slow.next("noted"))["text"] for _ in range(2)] == ["1", "2"]
        await page.ask("note.add", topic="board/plan", id="3", text="3")
        frame = await slow.next()
        while frame["type"] == "presence.changed":
            frame = await slow.next()
        assert frame["type"] == "noted"
        await page.ask("note.typing", topic="board/plan")
        await slow.next("typing")


# Topics of one user


async def test_topics_of_two_users_in_one_group_of_the_layer_stay_apart(alice: Any, bob: Any) -> None:
    mine = InboxTopic(f"{alice.pk}-0")
    others = (InboxTopic(f"{bob.pk}-{number}") for number in range(10_000))
    theirs = next(topic for topic in others if layer_group(topic.group) == layer_group(mine.group))
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        assert (await page.ask("join", topic=mine.address))["state"] == {"notes": 0}
        await other.ask("join", topic=theirs.address)
        assert (await other.ask("join", topic=mine.address))["code"] == "not_found"
        await in_thread(theirs.tell)({"type": "greeted", "to": "bob"})
        assert (await other.next())["to"] == "bob"
        await in_thread(mine.changed)()
        assert (await page.next())["topic"] == mine.address
        await page.ask("leave", topic=mine.address)  # The group of the layer is still used.
        await in_thread(theirs.changed)()
        assert (await other.next())["topic"] == theirs.address
        assert page.unread() == other.unread() == []
