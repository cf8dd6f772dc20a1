"""The examples of docs/topics.md are taken from the page and run as a site of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "topics.md").read_text()
MAX_LINES_OF_A_TOPIC = 40

SETTINGS = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = ["hubbub", "polls", "pollbook", "notices", "climate", "quizzes", "journals", "django.contrib.auth",
    "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware"]
ROOT_URLCONF = "site_asgi"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL, STATIC_ROOT = "static/", BASE_DIR / "collected"
HUBBUB = {"REDIS_URL": os.environ["REDIS_URL"]}
CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}
ASGI_APPLICATION = "site_asgi.application"
"""

# The route that the page shows for one consumer, and a socket for the other topics.
ASGI = """
from channels.routing import URLRouter
from django.urls import path
from climate.topics import ThermometerTopic
import hubbub.asgi
from hubbub import live
from journals.topics import JournalTopic
from notices.topics import BoardTopic
from pollbook.topics import PollsTopic
from polls.consumers import PollConsumer
from quizzes.topics import QuizTopic

async def http(scope, receive, send):
    raise RuntimeError("no page is asked for")

{application}
LiveConsumer = live(BoardTopic, PollsTopic, ThermometerTopic, QuizTopic, JournalTopic)
# Without the services of a process, which need Redis.
application = URLRouter([hubbub.asgi.socket_routes()["polls"], path("ws/", LiveConsumer.as_asgi())])
urlpatterns = []
"""

# A conversation with each example. Runs in the site's own process.
START = """
import asyncio, os, sys, warnings
warnings.simplefilter("error")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Short queries of the script itself, between frames.
import django
django.setup()
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from hubbub import Refused, threads
from hubbub.runtime import runtime
from tests.support.topic_page import opened
import site_asgi

def allow(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))

alice, bob = (User.objects.create_user(name) for name in ("alice", "bob"))

def run(conversation):
    async def main():
        try:
            await conversation()
        finally:
            await runtime().hub.close()
    asyncio.run(main())
    threads.close()
    print("done")
"""

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


def blocks() -> dict[str, str]:
    """The Python files of the page, by the path that their first line names."""
    found = re.findall(r'^```python\n("""([\w/]+\.py)"""\n.*?)^```', PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == PAGE.count("```python")
    return {path: text for text, path in found}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for path, text in blocks().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).parent.joinpath("__init__.py").touch()
        (tmp_path / path).write_text(text)
    [application] = re.findall(r"^    (application = .*)$", PAGE, re.MULTILINE)
    (tmp_path / "site_settings.py").write_text(SETTINGS)
    (tmp_path / "site_asgi.py").write_text(ASGI.format(application=application))
    return tmp_path


def run(site: Path, *arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    environ |= {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": f"{site}:{ROOT}", "HUBBUB_PREFIX": "page"}
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=site, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


NAMES = ["poll", "board", "thermometer", "list", "quiz", "journal"]


@pytest.mark.parametrize("conversation", [POLL, BOARD, THERMOMETER, LIST, QUIZ, JOURNAL], ids=NAMES)
def test_an_example_of_the_page_runs(site: Path, conversation: str) -> None:
    output = run(site, "-c", START + conversation)
    assert output == "done\n"


def test_check_has_nothing_to_say_about_the_examples(site: Path) -> None:
    assert run(site, "-m", "django", "check") == "System check identified no issues (0 silenced).\n"


def test_the_message_that_the_page_quotes_is_the_real_one(site: Path) -> None:
    path = site / "polls" / "topics.py"
    path.write_text(path.read_text().replace('    permission = "polls.view_poll"\n', ""))
    with pytest.raises(AssertionError) as failed:
        run(site, "-m", "django", "check")
    [quoted] = re.findall(r"^    (PollTopic: permission=.*)$", PAGE, re.MULTILINE)
    assert quoted in str(failed.value)


def test_an_example_is_short() -> None:
    lengths = {path: len(text.splitlines()) for path, text in blocks().items()}
    assert [path for path, length in lengths.items() if length > MAX_LINES_OF_A_TOPIC] == []
