"""Chat and monitor in a fresh project of another team, by docs/chat-and-monitor.md and the built wheel."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import MESSAGE, post
from tests.support.cluster import Cluster
from tests.support.packages import built_package, environment_with
from tests.support.redis_server import OwnRedis
from tests.support.servers import ROOT
from tests.support.visitor import TIMEOUT_MS, visiting
from tests.support.walkthrough import blocks, write

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

ADA, BEN = "ada@example.org", "ben@example.org"
DOCUMENT = (ROOT / "docs" / "chat-and-monitor.md").read_text()

MODELS = """
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager):
    def create_user(self, email, password=None, **more):
        person = self.model(email=self.normalize_email(email), **more)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email, password=None, **more):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **more)


class Person(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = PersonManager()

    USERNAME_FIELD = "email"
"""


class CopiedSite(Cluster):
    """`manage.py up` of the team's project, with the Python in which the wheel is installed."""

    def __init__(self, folder: Path, python: Path, redis_url: str) -> None:
        super().__init__(folder / "var", root=folder / "mysite", is_new=True)
        ours = ("HUBBUB_", "PYTHON", "DJANGO_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.env |= {"DJANGO_SETTINGS_MODULE": "mysite.settings", "REDIS_URL": redis_url}
        self.python = str(python)
        for made in (self.folder, self.root):
            made.mkdir()
        self._run("-m", "django", "startproject", "mysite", ".", "--settings=django.conf.global_settings")
        (self.root / "people" / "migrations").mkdir(parents=True)
        for package in ("people", "people/migrations"):
            (self.root / package / "__init__.py").touch()
        (self.root / "people" / "models.py").write_text(MODELS)
        self._run("-m", "hubbub", "copy", "chat", "monitor")
        with (self.root / "mysite" / "settings.py").open("a") as file:
            file.write('INSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"\n')
        for language, text in blocks(DOCUMENT):
            if language != "sh":
                write(self.root, text)
        self._run("manage.py", "makemigrations", "people", "-v0")
        self._run("manage.py", "check", "--fail-level", "WARNING")
        self._run("manage.py", "migrate", "-v0")
        self._run("manage.py", "collectstatic", "--noinput", "-v0")

    def _run(self, *arguments: str) -> str:
        command = [self.python, *arguments]
        ran = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("copied")
    python = environment_with(built_package(folder)[".whl"], folder / "venv", "server", "chat", "monitor")
    with OwnRedis(folder / "redis.sock") as redis:
        redis.start()
        with CopiedSite(folder, python, redis.url) as site:
            yield site


async def test_two_users_of_the_team_talk_in_a_room(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, ADA) as ada, visiting(browser, cluster, BEN) as ben:
        for visitor in (ada, ben):
            await visitor.open("/")
            await visitor.page.locator(".lobby-row").first.click()
            await visitor.page.wait_for_selector("html[data-state=open]")
        await post(ada.page, "Hello from our own site.")
        for visitor in (ada, ben):
            await expect(visitor.page.locator(MESSAGE)).to_have_text(["Hello from our own site."], timeout=TIMEOUT_MS)
            await expect(visitor.page.locator(".message-name")).to_have_text([ADA])
            await expect(visitor.page.locator(".people .person bdi")).to_have_text([ADA, BEN])
        assert ada.problems == ben.problems == []


async def test_the_dashboard_of_the_team_moves(browser: Browser, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.make_user, ADA, "view_dashboard")
    async with visiting(browser, cluster, ADA) as ada:
        await ada.open("/monitor/")
        await ada.page.wait_for_selector("#dashboard[data-freshness=live]")
        seq = ada.page.locator("[data-part=seq]")
        first = await seq.inner_text()
        await expect(seq).not_to_have_text(first, timeout=TIMEOUT_MS)
        assert ada.problems == []
