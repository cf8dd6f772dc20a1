"""Topics through a socket: state, log, commands, permissions, positions."""

import asyncio
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from hubbub.models import TopicPosition
from hubbub.protocol import Refused
from tests.support.polls.models import Note, Option, Poll, Vote
from tests.support.polls.topics import BoardTopic, PollTopic, ThermometerTopic
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture
def carol(db: None) -> Any:
    """A user without permissions."""
    return get_user_model().objects.create_user("carol")


@pytest.fixture
def poll(alice: Any, bob: Any) -> Poll:
    for user in (alice, bob):
        user.user_permissions.add(*Permission.objects.filter(codename__in=["view_poll", "add_vote"]))
    poll = Poll.objects.create(question="Tea?")
    for text in ("yes", "no"):
        Option.objects.create(poll=poll, text=text)
    return poll


def option_of(poll: Poll, text: str) -> int:
    return Option.objects.get(poll=poll, text=text).pk


async def test_a_vote_reaches_both_pages_as_the_new_state(alice: Any, bob: Any, poll: Poll) -> None:
    address = f"poll/{poll.pk}"
    yes = await in_thread(option_of)(poll, "yes")
    async with opened(alice) as one, opened(bob) as other:
        joined = await one.ask("join", topic=address)
        assert (joined["type"], joined["complete"], joined["topic"]) == ("ok", False, address)
        assert joined["state"]["question"] == "Tea?"
        assert [bar["n"] for bar in joined["state"]["bars"]] == [0, 0]
        await other.ask("join", topic=address)
        answer = await one.ask("vote", topic=address, option=yes)
        assert (answer["type"], answer["topic"]) == ("ok", address)
        for page in (one, other):
            changed = await page.next("changed")
            assert [bar["n"] for bar in changed["state"]["bars"]] == [1, 0]
            assert changed["position"] > joined["position"]
    assert await Vote.objects.acount() == 1


async def test_a_client_at_the_newest_position_is_sent_no_state(alice: Any, poll: Poll) -> None:
    async with opened(alice) as page:
        joined = await page.ask("join", topic=f"poll/{poll.pk}")
        again = await page.ask("join", topic=f"poll/{poll.pk}", after=joined["position"], epoch=joined["epoch"])
        assert (again["complete"], again["events"]) == (True, [])
        assert "state" not in again
        other = await page.ask("join", topic=f"poll/{poll.pk}", after=joined["position"], epoch="another")
        assert (other["complete"], other["state"]["question"]) == (False, "Tea?")


async def test_an_edit_anywhere_in_django_reaches_open_pages(alice: Any, poll: Poll) -> None:
    async with opened(alice) as page:
        await page.ask("join", topic=f"poll/{poll.pk}")
        poll.question = "Coffee?"
        await in_thread(poll.save)()
        assert (await page.next("changed"))["state"]["question"] == "Coffee?"
        await in_thread(lambda: Option.objects.get(text="no").delete())()
        assert [bar["text"] for bar in (await page.next("changed"))["state"]["bars"]] == ["yes"]


def test_a_row_that_moves_changes_both_topics(poll: Poll) -> None:
    other = Poll.objects.create(question="Cake?")
    before = positions(poll, other)
    option = Option.objects.get(poll=poll, text="yes")
    option.poll = other
    option.save()
    after = positions(poll, other)
    assert after[0] > before[0]
    assert after[1] > before[1]


def positions(*polls: Poll) -> list[int]:
    found = dict(TopicPosition.objects.values_list("address", "position"))
    return [found.get(f"poll/{poll.pk}", 0) for poll in polls]


def test_a_rollback_takes_no_position(poll: Poll) -> None:
    [before] = positions(poll)

    def change_and_fail() -> None:
        with transaction.atomic():
            PollTopic(poll.pk).changed()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert positions(poll) == [before]
    with transaction.atomic():
        with pytest.raises(RuntimeError):
            change_and_fail()
        PollTopic(poll.pk).changed()
    assert positions(poll) == [before + 1]


def test_a_command_takes_one_position_however_often_it_changes(alice: Any, poll: Poll) -> None:
    [before] = positions(poll)
    PollTopic(poll.pk).vote(alice, option_of(poll, "yes"))
    assert positions(poll) == [before + 1]


# Permissions


async def test_the_class_permission_is_checked_before_the_key_and_the_object_after(
    alice: Any, poll: Poll, carol: Any
) -> None:
    async with opened(carol) as page:
        for key in (poll.pk, 999_999):
            assert (await page.ask("join", topic=f"poll/{key}"))["code"] == "forbidden"
            assert (await page.ask("vote", topic=f"poll/{key}", option=1))["code"] == "forbidden"
    closed = await Poll.objects.acreate(question="Closed", is_open=False)
    async with opened(alice) as page:
        for address in (f"poll/{closed.pk}", "poll/999999", f"poll/0{poll.pk}", "poll/x", "poll", "nothing", "poll/"):
            answer = await page.ask("join", topic=address)
            assert (answer["code"], answer["detail"]) in [
                ("not_found", "there is no such topic"),
                ("not_found", "there is no such poll"),
            ]


async def test_an_access_change_closes_the_topic_for_who_may_not_see_it(alice: Any, bob: Any, poll: Poll) -> None:
    address = f"poll/{poll.pk}"
    async with opened(alice) as one, opened(bob) as other:
        await one.ask("join", topic=address)
        await other.ask("join", topic=address)
        await in_thread(bob.user_permissions.clear)()
        assert await other.next("closed") == {"type": "closed", "topic": address, "code": "forbidden"}
        assert not one.unread()
        await in_thread(Poll.objects.filter(pk=poll.pk).update)(is_open=False)
        await in_thread(PollTopic(poll.pk).access_changed)()
        assert (await one.next("closed"))["code"] == "not_found"


def test_a_view_runs_a_command_with_the_same_checks(alice: Any, poll: Poll, carol: Any) -> None:
    yes = option_of(poll, "yes")
    with pytest.raises(Refused) as refused:
        PollTopic(poll.pk).vote(carol, yes)
    assert refused.value.code == "forbidden"
    PollTopic(poll.pk).unchecked().vote(carol, yes)
    with pytest.raises(Refused, match="option"):
        PollTopic(poll.pk).vote(alice, "x")
    with pytest.raises(TypeError):
        PollTopic(poll.pk).vote(alice)
    assert Vote.objects.count() == 1


# Commands


async def test_bad_commands_are_answered_by_name_and_the_socket_stays_open(alice: Any, poll: Poll) -> None:
    address = f"poll/{poll.pk}"
    async with opened(alice) as page:
        answer = await page.ask("vote", topic=address, option="x")
        assert answer["code"] == "invalid"
        assert "option" in answer["detail"]
        assert (await page.ask("vote", topic=address))["code"] == "invalid"
        assert (await page.ask("vote", topic=address, option=1, more=2))["code"] == "invalid"
        assert (await page.ask("nothing", topic=address))["code"] == "invalid"
        assert (await page.ask("vote", option=1))["code"] == "invalid"
        assert (await page.ask("vote", topic=address, option=999))["code"] == "not_found"
        assert (await page.ask("ping"))["type"] == "pong"


async def test_one_id_is_one_effect(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as other:
        first = await page.ask("note.add", topic="board/plan", id="a", text="Hello")
        again = await other.ask("note.add", topic="board/plan", id="a", text="Hello")
        repeated = await page.ask("note.add", topic="board/plan", id="a", text="Hello")
        assert first["result"] == repeated["result"] == {"position": 1}
        assert again["result"] == {"position": 2}  # Another user's id.
        assert (await page.ask("note.add", topic="board/plan", id="a", text="Other"))["code"] == "conflict"
        assert (await page.ask("note.add", topic="board/plan", id="b", text=""))["code"] == "invalid"
        assert (await page.ask("note.add", topic="board/plan", id="b", text="Now"))["result"] == {"position": 3}
        assert (await page.ask("note.last", topic="board/plan"))["result"] == "Now"
    assert await Note.objects.acount() == 3


# Logs


async def test_a_log_sends_every_change_and_resumes_from_any_position(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as other:
        joined = await page.ask("join", topic="board/plan")
        assert (joined["position"], joined["state"], joined["viewer"]) == (0, [], {"name": "alice"})
        for number in range(1, 6):
            await other.ask("note.add", topic="board/plan", id=str(number), text=f"#{number}")
        events = [await page.next("noted") for _ in range(5)]
        assert [(event["position"], event["text"], event["topic"]) for event in events] == [
            (number, f"#{number}", "board/plan") for number in range(1, 6)
        ]
        resumed = await other.ask("join", topic="board/plan", after=3, epoch=joined["epoch"])
        assert resumed["complete"] is True
        assert [event["position"] for event in resumed["events"]] == [4, 5]
        latest = await other.ask("join", topic="board/plan", after=3, epoch="another")
        assert (latest["complete"], [row["position"] for row in latest["state"]]) == (False, [3, 4, 5])


async def test_a_long_resume_comes_in_parts(alice: Any) -> None:
    def write() -> None:
        for number in range(30):
            BoardTopic("plan").add(alice, f"{number} " + "x" * 3000)

    await in_thread(write)()
    async with opened(alice) as page:
        epoch = (await page.ask("join", topic="board/plan"))["epoch"]
        await page.ask("leave", topic="board/plan")
        after, got, parts = 0, [], 0
        while True:
            answer = await page.ask("join", topic="board/plan", after=after, epoch=epoch)
            parts += 1
            got += [event["position"] for event in answer["events"]]
            after = answer["position"]
            if not answer.get("partial"):
                break
        assert got == list(range(1, 31))
        assert parts > 2


async def test_an_event_that_was_not_published_is_read(alice: Any) -> None:
    def write_silently() -> None:
        topic = BoardTopic("plan")
        with transaction.atomic():
            Note.objects.create(board="plan", position=topic.next_position(), text="silent")

    async with opened(alice) as page:
        await page.ask("join", topic="board/plan")
        await in_thread(write_silently)()
        event = await page.next("noted")
        assert (event["position"], event["text"]) == (1, "silent")


async def test_a_slow_topic_refuses_past_its_bound_and_delays_no_other(
    alice: Any, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(self: PollTopic, user: Any) -> bool:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(3)
        return True

    async with opened(alice) as page:
        monkeypatch.setattr(BoardTopic, "may_view", slow)
        refs = [page.send_frame("note.last", topic="board/plan") for _ in range(10)]
        assert (await page.ask("ping"))["type"] == "pong"
        refused = [await page.next("error") for _ in range(2)]
        assert [frame["ref"] for frame in refused] == refs[8:]
        assert {frame["code"] for frame in refused} == {"rate_limited"}
        release.set()
        answered = [await page.next("ok") for _ in range(8)]
        assert [frame["ref"] for frame in answered] == refs[:8]


# Newest


async def test_a_newest_sends_rising_frames_only(alice: Any, bob: Any) -> None:
    topic = ThermometerTopic()
    async with opened(alice) as page, opened(bob) as other:
        joined = await page.ask("join", topic="thermometer")
        assert (joined["complete"], joined["state"]) == (False, {"celsius": None})
        got = []
        for published in ([5], [4, 6]):
            for position in published:
                await in_thread(topic.publish)(position, {"type": "measured", "celsius": float(position)})
            got.append(await page.next("measured"))
        assert [(frame["position"], frame["celsius"]) for frame in got] == [(5, 5.0), (6, 6.0)]
        assert (await other.ask("thermometer.typing", topic="thermometer"))["code"] == "conflict"
        await other.ask("join", topic="thermometer")
        assert (await other.ask("thermometer.typing", topic="thermometer"))["type"] == "ok"
        assert await page.next("typing") == {"type": "typing", "topic": "thermometer", "name": "bob"}
