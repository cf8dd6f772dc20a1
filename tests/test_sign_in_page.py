"""The examples of docs/sign-in.md, taken from the page, run as a site of their own with the packages that it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "sign-in.md").read_text()
MAX_LINES = 14  # Without imports.

SETTINGS = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = JWT_KEY = "x" * 50
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = ["hubbub", "accounts", "rest_framework.authtoken", "django.contrib.auth",
    "django.contrib.contenttypes", "django.contrib.sessions"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
HUBBUB = {"REDIS_URL": os.environ["REDIS_URL"], "AUTHENTICATE": os.environ["AUTHENTICATE"]}
CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}
"""

# Beside the examples.
OTHERS = {
    "site_topics.py": """
from hubbub import PUBLIC, SIGNED_IN, VIEW, Topic, TopicConsumer, command

class NewsTopic(Topic, name="news"):
    permission = PUBLIC

    def state(self):
        return "new"

    @command(permission=PUBLIC)
    def like(self, user):
        return user.get_username()

    @command(permission=VIEW)
    def write(self, user):
        pass

class NewsConsumer(TopicConsumer):
    topics = [NewsTopic]

class OfficeTopic(Topic, name="office"):
    permission = SIGNED_IN

    def state(self):
        return "open"

    @command(permission=SIGNED_IN)
    def knock(self, user):
        return user.get_username()

class OfficeConsumer(TopicConsumer):
    topics = [OfficeTopic]
""",
}

START = """
import asyncio, json, os, time, warnings
warnings.simplefilter("error")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Short queries of the script itself, between frames.
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
import logging
logging.getLogger("hubbub.security").setLevel(logging.ERROR)  # Refusals are expected.
from hubbub import threads
from hubbub.auth import credentials_changed
from hubbub.runtime import runtime
from tests.support.topic_page import handshaken
from site_topics import NewsConsumer, OfficeConsumer

alice = User.objects.create_user("alice")

async def admitted(page, token=None):
    if token is not None:
        await page.next("auth.required")
        page.put(json.dumps({"type": "auth", "token": token}))
    assert (await page.next("hello"))["user"] == {"id": str(alice.pk), "name": "alice"}
    assert (await page.ask("join", topic="office"))["state"] == "open"
    assert (await page.ask("knock", topic="office"))["result"] == "alice"

async def refused(token):
    async with handshaken(OfficeConsumer, authorization=f"Bearer {token}") as page:
        assert (await page.next("close"))["code"] == 4001

async def revoked(page, revoke):
    await asyncio.to_thread(revoke)
    assert (await page.ask("knock", topic="office"))["code"] == "unauthorized"
    credentials_changed([alice])
    assert (await page.next("close"))["code"] == 4003

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

TOKENS = """
from rest_framework.authtoken.models import Token
token = Token.objects.create(user=alice)

async def conversation():
    for origin in (None, "https://elsewhere.example.org"):
        async with handshaken(OfficeConsumer, authorization=f"Token {token.key}", origin=origin) as page:
            await admitted(page)
    await refused("x")
    async with handshaken(OfficeConsumer) as page:
        await admitted(page, token.key)
        await revoked(page, token.delete)

run(conversation)
"""

ISSUED = """
from accounts.build_token import renew_build_token
first = renew_build_token(alice)

async def conversation():
    async with handshaken(OfficeConsumer, authorization=f"Bearer {first}", origin=None) as page:
        await admitted(page)
        await asyncio.to_thread(renew_build_token, alice)
        assert (await page.next("close"))["code"] == 4003
    await refused(first)
    assert [token.state for token in alice.access_tokens.order_by("pk")] == ["revoked", "usable"]

run(conversation)
"""

JWT = """
import jwt
from accounts.models import RevokedJwt

def token(seconds, jti="1", key="x" * 50):
    return jwt.encode({"sub": str(alice.pk), "exp": time.time() + seconds, "jti": jti}, key, "HS256")

async def conversation():
    for wrong in ("", "x.y.z", token(-1), token(60, key="y" * 50)):
        await refused(wrong)
    async with handshaken(OfficeConsumer, cookie=f"jwt={token(60)}") as page:
        await admitted(page)
        await revoked(page, lambda: RevokedJwt.objects.create(jti="1"))
    async with handshaken(OfficeConsumer, cookie=f"jwt={token(60)}", origin="https://elsewhere.example.org") as page:
        assert await page.next() == {"type": "close", "code": 4005}
    async with handshaken(OfficeConsumer, origin=None) as page:
        until = time.time() + 2
        await admitted(page, token(2, "2"))
        assert (await page.next("close"))["code"] == 4003
        assert until <= time.time() < until + 1

run(conversation)
"""

VISITORS = JWT.replace(
    "run(conversation)",
    """
async def visit(page):
    assert (await page.next("hello"))["user"] == {"id": None, "name": ""}
    assert (await page.ask("join", topic="news"))["state"] == "new"
    assert (await page.ask("like", topic="news"))["result"] == ""
    assert (await page.ask("write", topic="news"))["code"] == "forbidden"

async def conversation_with_visitors():
    async with handshaken(NewsConsumer) as page:
        await visit(page)
    async with handshaken(NewsConsumer, cookie=f"jwt={token(60, '3')}") as page:
        assert (await page.next("hello"))["user"]["name"] == "alice"
    async with handshaken(NewsConsumer, origin=None) as page:
        await page.next("auth.required")
        page.put(json.dumps({"type": "auth", "token": ""}))
        await visit(page)

run(conversation_with_visitors)
""",
)


def blocks() -> dict[str, str]:
    """The Python files of the page, by the path that their first line names."""
    found = re.findall(r'^```python\n("""([\w/]+\.py)"""\n.*?)^```', PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == PAGE.count("```python")
    return {path: text for text, path in found}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for path, text in {"site_settings.py": SETTINGS, **OTHERS, **blocks()}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def run(site: Path, authenticate: str, *arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    environ |= {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": f"{site}:{ROOT}", "HUBBUB_PREFIX": "signin"}
    command = [sys.executable, *arguments]
    environ["AUTHENTICATE"] = authenticate
    ran = subprocess.run(command, cwd=site, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("authenticate", "conversation"),
    [
        ("", ISSUED),
        ("accounts.sign_in.TokenSignIn", TOKENS),
        ("accounts.jwt_sign_in.JwtSignIn", JWT),
        ("accounts.visitor_sign_in.VisitorSignIn", VISITORS),
    ],
    ids=["issued", "tokens", "jwt", "visitors"],
)
def test_an_example_of_the_page_runs(site: Path, authenticate: str, conversation: str) -> None:
    assert run(site, authenticate, "-c", START + conversation) == "done\n"


def test_the_setting_of_the_page_is_the_first_example() -> None:
    [path] = re.findall(r'HUBBUB = {"AUTHENTICATE": "(.*)"}', PAGE)
    assert path == "accounts.sign_in.TokenSignIn"
    assert "class TokenSignIn" in blocks()["accounts/sign_in.py"]


def test_an_example_is_short() -> None:
    lengths = {path: len(text.partition("\n\n\n")[2].splitlines()) for path, text in blocks().items()}
    assert [path for path, length in lengths.items() if length > MAX_LINES] == []
