"""A project of its own with three databases on two processes: users, votes, and the rest; then with an old replica."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.client import opened
from tests.support.own_project import OwnProject
from tests.support.revocation import ENDED
from tests.support.servers import Server

pytestmark = pytest.mark.cluster

SETTINGS = """
import os
INSTALLED_APPS += ["polls"]
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
for alias in ("people", "replica", "answers"):
    DATABASES[alias] = SQLITE | {"NAME": BASE_DIR / f"{alias}.sqlite3"}
DATABASE_ROUTERS = ["mysite.routers.Router"]
READS = os.environ.get("READS", "people")
HUBBUB |= {"REVALIDATE_SECONDS": 600}
"""

ROUTERS = """
from django.conf import settings

PEOPLE = {"auth", "contenttypes", "sessions", "admin"}


def alias_of(app_label, model_name):
    if app_label in PEOPLE or (app_label, model_name) == ("hubbub", "accesstoken"):
        return "people"
    return "answers" if app_label == "polls" else None


class Router:
    def db_for_read(self, model, **hints):
        alias = self.db_for_write(model)
        return settings.READS if alias == "people" else alias

    def db_for_write(self, model, **hints):
        return alias_of(model._meta.app_label, model._meta.model_name)

    def allow_relation(self, first, second, **hints):
        return self.db_for_write(first) == self.db_for_write(second)

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        alias = alias_of(app_label, model_name)
        if alias is None:  # The engine's positions are where the topics are.
            return db in ("default", "answers")
        return db == alias
"""

MODELS = """
from django.db import models


class Poll(models.Model):
    question = models.CharField(max_length=200)


class Vote(models.Model):
    poll = models.ForeignKey(Poll, on_delete=models.CASCADE)
    voter = models.CharField(max_length=40)  # No foreign key: users are in another database.
    choice = models.IntegerField()
"""

TOPICS = """
from hubbub import Topic, command, users
from polls.models import Poll, Vote


class PollTopic(Topic, name="poll", key=int):
    database = "answers"
    permission = "polls.view_poll"
    follows = {Vote: lambda vote: vote.poll_id}

    def state(self):
        votes = Vote.objects.filter(poll=self.key).order_by("pk")
        return [[vote.voter, vote.choice] for vote in votes]

    @command("poll.vote", permission="polls.view_poll")
    def vote(self, user, choice: int):
        Vote.objects.create(poll_id=self.key, voter=users.id_of(user), choice=choice)
"""

ASGI = """
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
http = get_asgi_application()

from django.urls import path

import hubbub.asgi
from hubbub import live
from polls.topics import PollTopic

application = hubbub.asgi.application(http, [path("ws/polls/", live(PollTopic).as_asgi())])
"""

FILES = {
    "polls/__init__.py": "",
    "polls/models.py": MODELS,
    "polls/topics.py": TOPICS,
    "mysite/routers.py": ROUTERS,
    "mysite/asgi.py": ASGI,
}
APPLICATION = "mysite.asgi:application"

CLEAR = """
from django.contrib.auth.models import User
User.objects.using("people").get(pk={id}).user_permissions.clear()
"""
SIGN_OUT = """
from django.contrib.sessions.models import Session
Session.objects.using("people").get(pk={cookie!r}).delete()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> OwnProject:
    project = OwnProject(
        tmp_path_factory.mktemp("databases"),
        settings=SETTINGS,
        files=FILES,
        databases=["default", "people", "answers"],
        makes_migrations=["polls"],
    )
    # The replica knows the permissions, and no user yet.
    shutil.copy(project.root / "people.sqlite3", project.root / "replica.sqlite3")
    project.shell("from polls.models import Poll; Poll.objects.create(question='Tea?')")
    return project


@pytest.fixture(params=["people", "replica"], scope="module")
def servers(request: pytest.FixtureRequest, project: OwnProject) -> Iterator[list[Server]]:
    """Two processes; the second time they read users and sessions from the replica."""
    project.env["READS"] = request.param
    with project.serving("hubbub", 2, APPLICATION) as servers:
        yield servers
        for server in servers:
            assert "Traceback" not in server.log.read_text()


def member(project: OwnProject) -> dict[str, str]:
    return project.make_user(f"user-{uuid4().hex[:8]}", "view_poll")


async def test_a_vote_reaches_the_other_process(project: OwnProject, servers: list[Server]) -> None:
    ada, ben = [await asyncio.to_thread(member, project) for _ in range(2)]
    async with (
        opened(servers[0].url, "/ws/polls/", cookie=ada["cookie"]) as one,
        opened(servers[1].url, "/ws/polls/", token=ben["token"]) as other,
    ):
        assert one.hello["user"]["id"] == ada["id"]
        assert other.hello["user"]["id"] == ben["id"]
        for socket in (one, other):
            assert (await socket.request("join", topic="poll/1"))["type"] == "ok"
        choice = int(uuid4().hex[:6], 16)
        assert (await one.request("poll.vote", topic="poll/1", choice=choice))["type"] == "ok"
        changed = await other.event("changed", seconds=5)
        assert changed["state"][-1] == [ada["id"], choice]
    for alias, table, count in (("answers", "polls_vote", 1), ("answers", "hubbub_topicposition", 1)):
        assert rows(project, alias, table) >= count
    assert rows(project, "default", "hubbub_topicposition") == 0
    assert rows(project, "people", "hubbub_accesstoken") >= 2


async def test_a_permission_taken_away_closes_the_topic(project: OwnProject, servers: list[Server]) -> None:
    """Although the replica still has it. No sweep helps: only a hint after the commit of that database does."""
    ada = await asyncio.to_thread(member, project)
    async with opened(servers[0].url, "/ws/polls/", cookie=ada["cookie"]) as socket:
        assert (await socket.request("join", topic="poll/1"))["type"] == "ok"
        await asyncio.to_thread(copy_to_replica, project)
        await asyncio.to_thread(project.shell, CLEAR.format(**ada))
        assert (await socket.event("closed", 5))["code"] == "forbidden"
        assert (await socket.request("join", topic="poll/1"))["code"] == "forbidden"


async def test_a_session_that_ends_closes_the_socket(project: OwnProject, servers: list[Server]) -> None:
    ada = await asyncio.to_thread(member, project)
    async with opened(servers[1].url, "/ws/polls/", cookie=ada["cookie"]) as socket:
        await asyncio.to_thread(copy_to_replica, project)
        await asyncio.to_thread(project.shell, SIGN_OUT.format(**ada))
        assert await socket.closed(5) == ENDED


def copy_to_replica(project: OwnProject) -> None:
    with (
        sqlite3.connect(project.root / "people.sqlite3") as source,
        sqlite3.connect(project.root / "replica.sqlite3") as target,
    ):
        source.backup(target)


def rows(project: OwnProject, alias: str, table: str) -> int:
    with sqlite3.connect(project.root / ("db.sqlite3" if alias == "default" else f"{alias}.sqlite3")) as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count
