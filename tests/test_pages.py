"""The code of the documents: each block names its file, and is imported in a copy of the examples."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.public_names import private_imports
from tests.support.servers import ROOT
from tests.support.walkthrough import blocks, write

DOCS = ROOT / "docs"
PAGES = ["index", "publishing", "who-may", "testing", "channels", "deploying"]
# The same test follows these, from the first block to the last: tests/browser/test_documents.py.
FOLLOWED = ["five-minutes", "tutorial"]
# What the code of the page on publishing does to pages that are open.
PUBLISHING = """
from django.contrib.auth.models import User
from django.test import RequestFactory, TestCase

from hubbub.testing import published
from polls.admin import PollAdmin, ask_again
from polls.models import Option, Poll, Vote
from polls.services import copy_poll, swap_questions
from polls.tasks import remind, rename
from polls.views import vote


class PublishingTests(TestCase):
    def setUp(self):
        self.tea, self.milk = (Poll.objects.create(question=question) for question in ("Tea?", "Milk?"))
        self.yes = Option.objects.create(poll=self.tea, text="Yes")
        self.user = User.objects.create_user("alice")

    def changed(self, run):
        with published() as frames:
            run()
        return [frame["topic"] for frame in frames if frame["type"] == "changed"]

    def test_a_view(self):
        for option, status in ((self.yes.pk, 302), (0, 404)):
            request = RequestFactory().post("/", {"option": option})
            request.user, request._dont_enforce_csrf_checks = self.user, True
            with published(f"poll/{self.tea.pk}") as frames:
                self.assertEqual(vote(request, self.tea.pk).status_code, status)
            self.assertEqual(len(frames), status == 302)

    def test_a_task(self):
        self.assertEqual(self.changed(lambda: rename("Tea?", "Coffee?")), [f"poll/{self.tea.pk}"])
        with published() as frames:
            remind(self.tea.pk)
        self.assertEqual([frame["text"] for frame in frames], ["Please vote."])

    def test_transactions(self):
        both = [f"poll/{poll.pk}" for poll in (self.tea, self.milk)]
        self.assertEqual(self.changed(lambda: swap_questions(self.tea, self.milk)), both)
        self.assertEqual(Poll.objects.get(pk=self.milk.pk).question, "Tea?")
        copied = []
        self.assertIn(f"poll/{self.milk.pk + 1}", self.changed(lambda: copied.append(copy_poll(self.tea))))
        self.assertEqual([option.text for option in copied[0].options.all()], ["Yes"])

    def test_an_action_of_the_admin(self):
        Vote.objects.create(poll=self.tea, option=self.yes, user=self.user)
        run = lambda: ask_again(None, None, Poll.objects.filter(pk=self.tea.pk))
        self.assertIn(f"poll/{self.tea.pk}", self.changed(run))
        self.assertEqual((Vote.objects.count(), ask_again in PollAdmin.actions), (0, True))
"""
# Which users the topics of the page on access let in.
WHO_MAY = """
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.test import TestCase

from hubbub import Refused
from hubbub.testing import connect
from inboxes.topics import InboxTopic
from teams.topics import TeamTopic, set_members


class WhoMayTests(TestCase):
    def setUp(self):
        self.alice, self.bob = (User.objects.create_user(name) for name in ("alice", "bob"))
        self.group = Group.objects.create(name="tea")
        self.group.user_set.add(self.alice)

    async def refusal(self, topic, key, user):
        with self.assertRaises(Refused) as refused:
            async with connect(topic, key, user=user):
                pass
        return refused.exception.code

    async def test_members(self):
        self.assertEqual(await self.refusal(TeamTopic, self.group.pk, self.bob), "not_found")
        async with connect(TeamTopic, self.group.pk, user=self.alice) as page:
            self.assertEqual(page.state, ["alice"])
            await sync_to_async(set_members)(self.group, [self.alice, self.bob])
            self.assertEqual(await page.changed(), ["alice", "bob"])
            await sync_to_async(set_members)(self.group, [self.bob])
            self.assertEqual(await page.closed(), "not_found")
        async with connect(TeamTopic, self.group.pk, user=self.bob) as page:
            await page.call(text="Tea")
            self.assertEqual((await page.event("team.called"))["name"], "bob")

    async def test_an_inbox(self):
        self.assertEqual(await self.refusal(InboxTopic, self.alice.pk, self.bob), "not_found")
        async with connect(InboxTopic, self.alice.pk, user=self.alice) as page:
            self.assertEqual(page.state, {"unread": 0})
"""
# A mistake that the page on testing warns of, and one that the tutorial does not make.
MISTAKES = """
import pytest

from hubbub.testing import connect
from polls.models import Poll
from polls.topics import PollTopic


async def test_a_row_that_another_thread_does_not_see_is_said(db, admin_user):
    with pytest.raises(RuntimeError, match="use `transactional_db`"):
        async with connect(PollTopic, 1, user=admin_user):
            pass


def test_the_page_names_its_topic_also_with_separators(admin_client, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    Poll.objects.create(pk=1234, question="Tea?")
    assert b'data-topic="poll/1234"' in admin_client.get("/1234/").content
"""
IMPORT = "import sys, django, importlib; django.setup(); [importlib.import_module(name) for name in sys.argv[1:]]"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("__pycache__", "var", "tests.py"))
    return folder


def run(folder: Path, *arguments: str, settings: str = "example_site.settings") -> str:
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "PYTEST_"))}
    environ = keep | {
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": f"{folder}:{ROOT}",
        "EXAMPLES_VAR": os.fspath(folder.parent),
        "SECRET_KEY": "abcde fghij" * 5,
    }
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def make_project(folder: Path) -> None:
    """Make the settings module `mysite`, as `startproject` does."""
    new = folder.parent / "new"
    new.mkdir()
    run(new, "-m", "django", "startproject", "mysite", ".", settings="")
    (new / "mysite").rename(folder / "mysite")


def write_python(folder: Path, page: str) -> list[str]:
    """Write the Python files of a page. Returns their dotted names."""
    text = (DOCS / f"{page}.md").read_text()
    written = [write(folder, block) for language, block in blocks(text) if language == "python"]
    assert written
    names = {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in written}
    return sorted(names)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_is_imported(site: Path, page: str) -> None:
    make_project(site)
    names = write_python(site, page)
    run(site, "-c", IMPORT, *names)


@pytest.mark.slow
def test_the_page_on_testing_goes_on_with_the_project_of_the_tutorial(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    run(site, "-m", "django", "startproject", "mysite", ".", settings="")
    run(site, "manage.py", "startapp", "polls", settings="mysite.settings")
    for language, text in blocks((DOCS / "tutorial.md").read_text()):
        if language in ("python", "html"):
            write(site, text)
    run(site, "manage.py", "makemigrations", "polls", settings="mysite.settings")
    (site / "polls" / "test_mistakes.py").write_text(MISTAKES)
    outputs = []
    for language, text in blocks((DOCS / "testing.md").read_text()):
        if language != "sh":
            write(site, text)
        elif not text.startswith("pip "):
            outputs.append(run(site, "-W", "error", *text.removeprefix("python ").split(), settings="mysite.settings"))
    # With its database in a file, by the last block.
    outputs.append(run(site, "-W", "error", "-m", "pytest", settings="mysite.settings"))
    counts = [re.findall(r"(?:Ran \d+ tests|\d+ passed)", output) for output in outputs]
    assert counts == [["Ran 7 tests"], ["14 passed"], ["15 passed"]]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "tests", "count"), [("publishing", PUBLISHING, 4), ("who-may", WHO_MAY, 2)])
def test_the_code_of_a_page_does_what_it_says(site: Path, page: str, tests: str, count: int) -> None:
    make_project(site)
    write_python(site, page)
    (site / "polls" / "tests.py").write_text(tests)
    assert f"Ran {count} tests" in run(site, "manage.py", "test", "polls")


@pytest.mark.slow
def test_check_has_nothing_to_say_about_settings_as_the_page_on_deploying_has_them(site: Path) -> None:
    make_project(site)
    for page in ("tutorial", "deploying"):
        write_python(site, page)
    output = run(site, "-m", "django", "check", "--deploy", settings="mysite.settings")
    assert "hubbub." not in output
    assert {*re.findall(r"\((\w+\.\w+)\)", output)} <= {"security.W004", "security.W008"}


def test_a_block_of_python_is_on_a_page_that_a_test_runs() -> None:
    with_code = {path.stem for path in DOCS.glob("*.md") if re.search("^```python", path.read_text(), re.MULTILINE)}
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    others = {page for page in with_code if f'"{page}.md"' in tests}  # Each has a test of its own.
    assert with_code == {*PAGES, *others}
    assert {*FOLLOWED, "topics"} <= others


def test_the_code_of_pages_and_examples_imports_public_names_only() -> None:
    pages = {page: blocks((DOCS / f"{page}.md").read_text()) for page in (*PAGES, *FOLLOWED)}
    sources = {text: text for found in pages.values() for language, text in found if language == "python"}
    sources |= {os.fspath(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "examples").rglob("*.py")}
    assert {where: found for where, text in sources.items() if (found := private_imports(text))} == {}


def test_an_import_of_a_private_name_is_found() -> None:
    source = "import hubbub.hub\nfrom hubbub import asgi, live, threads\nfrom hubbub.topics.topic import Topic"
    assert private_imports(source) == ["hubbub.hub", "hubbub.threads", "hubbub.topics.topic.Topic"]
