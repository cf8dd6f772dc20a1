"""The examples of docs/topics.md are taken from the page and run as a site of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.support.topic_conversations import BOARD, JOURNAL, LIST, POLL, QUIZ, THERMOMETER

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
