"""What clients say to the examples of docs/topics.md, and what they must hear. Run in a site of the examples."""

POLL = """
from polls.models import Option, Poll
from polls.topics import PollTopic
for user in (alice, bob):
    allow(user, "view_poll", "vote")
carol = User.objects.create_user("carol")
poll = Poll.objects.create(question="Tea?")
yes, no = (Option.objects.create(poll=poll, text=text) for text in ("yes", "no"))
address = f"poll/{poll.pk}"

async def conversation():
    async with opened(alice, site_asgi.PollConsumer) as page, opened(bob, site_asgi.PollConsumer) as other:
        joined = await page.ask("join", topic=address)
        assert joined["state"] == {"question": "Tea?", "bars": [
            {"id": yes.pk, "text": "yes", "n": 0}, {"id": no.pk, "text": "no", "n": 0}]}, joined
        assert (await other.ask("join", topic=address))["type"] == "ok"
        answer = await page.ask("vote", topic=address, option=yes.pk)
        assert (answer["type"], answer["topic"]) == ("ok", address), answer
        for each in (page, other):
            changed = await each.next("changed")
            assert [bar["n"] for bar in changed["state"]["bars"]] == [1, 0], changed
            assert changed["position"] > joined["position"]
        await asyncio.to_thread(PollTopic(poll.pk).vote, bob, no.pk)  # As from a view.
        assert [bar["n"] for bar in (await page.next("changed"))["state"]["bars"]] == [1, 1]
        poll.question = "Coffee?"
        await asyncio.to_thread(poll.save)  # As in the admin.
        assert (await page.next("changed"))["state"]["question"] == "Coffee?"
        assert (await page.ask("vote", topic=address, option=0))["code"] == "not_found"
        assert (await page.ask("vote", topic=address, option="x"))["code"] == "invalid"
        assert (await page.ask("join", topic="poll/0"))["code"] == "not_found"
        assert (await page.ask("join", topic=f"poll/0{poll.pk}"))["code"] == "not_found"
    async with opened(carol, site_asgi.PollConsumer) as page:
        assert (await page.ask("join", topic=address))["code"] == "forbidden"
    try:
        await asyncio.to_thread(PollTopic(poll.pk).vote, carol, yes.pk)
    except Refused as refused:
        assert refused.code == "forbidden"
    else:
        raise AssertionError
    await asyncio.to_thread(PollTopic(poll.pk).unchecked().vote, carol, yes.pk)

run(conversation)
"""

BOARD = """
allow(alice, "add_notice")

async def conversation():
    async with opened(alice, site_asgi.LiveConsumer) as page, opened(bob, site_asgi.LiveConsumer) as other:
        joined = await page.ask("join", topic="board/plans")
        assert (joined["complete"], joined["state"], joined["position"]) == (False, [], 0), joined
        await other.ask("join", topic="board/plans")
        present = set()
        while present != {"alice", "bob"}:
            present |= {user["name"] for user in (await page.next("presence.changed"))["joined"]}
        answers = [await page.ask("notice.post", topic="board/plans", id=id, text=text)
            for id, text in (("a", "One"), ("b", "Two"), ("a", "One"))]
        assert [answer["result"]["position"] for answer in answers] == [1, 2, 1], answers
        for each in (page, other):
            events = [await each.next("notice.posted") for _ in range(2)]
            assert events == [{"type": "notice.posted", "topic": "board/plans", "position": position, "text": text}
                for position, text in ((1, "One"), (2, "Two"))], events
        assert (await page.ask("notice.post", topic="board/plans", id="a", text="Three"))["code"] == "conflict"
        assert (await page.ask("notice.post", topic="board/plans", id="c", text=""))["code"] == "invalid"
        assert (await other.ask("notice.post", topic="board/plans", id="c", text="No"))["code"] == "forbidden"
        assert (await other.ask("notice.count", topic="board/plans"))["result"] == 2
        assert (await other.ask("notice.typing", topic="board/plans"))["type"] == "ok"
        typing = await page.next("notice.typing")
        assert (typing["topic"], typing["user"]["name"]) == ("board/plans", "bob"), typing
        again = await other.ask("join", topic="board/plans", after=1, epoch=joined["epoch"])
        assert (again["complete"], [event["text"] for event in again["events"]]) == (True, ["Two"]), again

run(conversation)
"""

THERMOMETER = """
from climate.topics import measure
allow(alice, "view_thermometer")
measure("kitchen", 20.5)

async def conversation():
    async with opened(alice, site_asgi.LiveConsumer) as page, opened(bob, site_asgi.LiveConsumer) as other:
        assert (await page.ask("join", topic="thermometer/kitchen"))["state"] == {"celsius": 20.5}
        assert (await page.ask("join", topic="thermometer/attic"))["code"] == "not_found"
        assert (await other.ask("join", topic="thermometer/kitchen"))["code"] == "forbidden"
        await asyncio.to_thread(measure, "kitchen", 21.0)
        frame = await page.next("measured")
        assert (frame["topic"], frame["celsius"]) == ("thermometer/kitchen", 21.0), frame
        assert not other.unread()

run(conversation)
"""


LIST = """
from polls.models import Option, Poll
from polls.topics import PollTopic
from pollbook.topics import open_poll
for user in (alice, bob):
    allow(user, "view_poll", "vote")
carol = User.objects.create_user("carol")
poll = Poll.objects.create(question="Tea?")
yes = Option.objects.create(poll=poll, text="yes")

async def conversation():
    async with opened(alice, site_asgi.LiveConsumer) as page, opened(carol, site_asgi.LiveConsumer) as other:
        joined = await page.ask("join", topic="polls")
        assert joined["state"] == {
            "items": [{"poll": poll.pk, "question": "Tea?", "votes": 0}], "more": False}, joined
        assert (await other.ask("join", topic="polls"))["code"] == "forbidden"
        assert (await page.ask("state", topic="polls"))["state"] == joined["state"]
        await asyncio.to_thread(PollTopic(poll.pk).vote, bob, yes.pk)
        assert (await page.next("moved"))["items"] == [{"poll": poll.pk, "question": "Tea?", "votes": 1}]
        other_poll = await asyncio.to_thread(open_poll, "Coffee?")
        assert (await page.next("moved"))["items"] == [{"poll": other_poll.pk, "question": "Coffee?", "votes": 0}]

run(conversation)
"""

QUIZ = """
from quizzes.models import Answer
from quizzes.topics import QuizTopic

async def conversation():
    async with opened(alice, site_asgi.LiveConsumer) as page, opened(bob, site_asgi.LiveConsumer) as other:
        assert (await page.ask("join", topic="quiz/7"))["state"] == {"answers": 0}
        refs = [other.send_frame("answer", topic=f"quiz/{key}", text=text) for key, text in
            ((7, "Tea"), (8, "Milk"), (7, ""), (7, "Coffee"))]
        answers = [await other.next() for _ in refs]
        assert [answer["ref"] for answer in answers] == refs
        assert [answer.get("code", "ok") for answer in answers] == ["ok", "ok", "invalid", "ok"], answers
        while (await page.next("changed"))["state"] != {"answers": 2}:
            pass
        await asyncio.to_thread(QuizTopic(7).answer, bob, text="Water")
        assert (await page.next("changed"))["state"] == {"answers": 3}
    assert Answer.objects.filter(user=bob).count() == 4

run(conversation)
"""

JOURNAL = """
import logging
from journals.models import Journal
from journals.topics import JournalTopic
from hubbub.models import TopicPosition
logging.getLogger("hubbub.security").setLevel(logging.ERROR)  # Evictions are expected.
for slug in ("plans", "other"):
    Journal.objects.create(slug=slug).readers.set([alice] if slug == "other" else [alice, bob])

def delete():
    Journal.objects.filter(slug="plans").delete()
    JournalTopic("plans").close("deleted")

async def conversation():
    async with opened(alice, site_asgi.LiveConsumer) as page, opened(bob, site_asgi.LiveConsumer) as other:
        joined = await page.ask("join", topic="journal/plans")
        assert (joined["epoch"], joined["position"], joined["state"]) == ("1", 0, []), joined
        assert (await other.ask("join", topic="journal/other"))["code"] == "not_found"
        assert (await other.ask("entry.add", topic="journal/other", text="x"))["code"] == "not_found"
        for text in ("One", "Two"):
            assert (await other.ask("entry.add", topic="journal/plans", text=text))["type"] == "ok"
        events = [await page.next("entry.added") for _ in range(2)]
        assert [(event["position"], event["text"]) for event in events] == [(1, "One"), (2, "Two")]
        resumed = await other.ask("join", topic="journal/plans", after=1, epoch="1")
        assert [event["text"] for event in resumed["events"]] == ["Two"], resumed
        await asyncio.to_thread(delete)
        for each in (page, other):
            assert (await each.next("closed"))["code"] == "deleted"
    assert not TopicPosition.objects.exists()

run(conversation)
"""
