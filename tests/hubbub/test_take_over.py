"""The tables of `realtime`, the engine's app in earlier versions, are taken over with their rows."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from tests.support.servers import ROOT

pytestmark = pytest.mark.slow

BEFORE = Path(__file__).with_name("before_hubbub.sql")  # A site of the version before, as its migrations made it.
TOKEN = "hub_1_a-secret-of-before"
SITE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

LOOK = f"""
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from hubbub.auth.identity import identify_token
from hubbub.models import AccessToken, SiteIdentity
identity = identify_token({TOKEN!r}, None)
print(identity.name, *identity.scopes)
print(SiteIdentity.objects.get().site_id)
print(LogEntry.objects.get().get_edited_object())
print(*[str(permission.content_type) for permission in Group.objects.get().permissions.all()], sep="; ")
get_user_model().objects.get(username="ada").delete()
print(AccessToken.objects.count())
"""


@pytest.fixture
def var(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    with sqlite3.connect(folder / "hubbub.sqlite3") as database:
        database.executescript(BEFORE.read_text())
    database.close()
    return folder


def manage(var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        # Without HUBBUB_PREFIX: under that of the tests its lease would keep their own database from Redis.
        env={name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "HUBBUB_PREFIX")}
        | {"HUBBUB_VAR": str(var)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def tables(var: Path) -> set[str]:
    with sqlite3.connect(var / "hubbub.sqlite3") as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    return names


def test_a_site_of_before_goes_on_with_its_tokens_and_its_id(var: Path) -> None:
    ran = manage(var, "migrate", "-v", "0")
    assert ran.returncode == 0, ran.stderr
    assert {name for name in tables(var) if name.startswith("realtime_")} == set()
    said = manage(var, "shell", "--no-imports", "-v", "0", "-c", LOOK)
    assert said.stdout.splitlines() == [
        "ada chat.read",
        SITE,
        f"script ({TOKEN[:5]}_…)",
        "Hubbub | access token",
        "0",
    ], said.stderr


def test_under_running_processes_of_before_it_is_refused(var: Path) -> None:
    before = tables(var)
    ran = manage(var, "release", "--additive")
    assert ran.returncode == 1
    assert "renames a table of the app realtime" in ran.stderr.splitlines()[-1]
    assert "stop the site, and start it again" in ran.stderr.splitlines()[-1]
    assert tables(var) == before


def test_a_skipped_version_is_an_error_with_the_remedy(var: Path) -> None:
    with sqlite3.connect(var / "hubbub.sqlite3") as database:
        database.execute("ALTER TABLE realtime_accesstoken DROP COLUMN scopes")
    database.close()
    ran = manage(var, "migrate", "-v", "0")
    assert ran.returncode == 1
    assert (
        "The table realtime_accesstoken lacks scopes: apply all migrations of the version before first." in ran.stderr
    )
    assert "realtime_accesstoken" in tables(var)


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_taken_over_given_back_and_taken_over_again(alice: Any) -> None:
    """On PostgreSQL as well. Given back, the tables are those of before: the version before can use them."""
    token, text = create_token(user=alice, name="script", expires_at=None)
    permission = Permission.objects.get(content_type__app_label="hubbub", codename="change_accesstoken")
    recorder = MigrationRecorder(connection)
    recorder.record_applied("realtime", "0001_initial")
    try:
        call_command("migrate", "hubbub", "zero", verbosity=0)
        assert {"realtime_accesstoken", "realtime_siteidentity"} <= set(connection.introspection.table_names())
    finally:
        call_command("migrate", verbosity=0)
        recorder.record_unapplied("realtime", "0001_initial")
    assert "realtime_accesstoken" not in connection.introspection.table_names()
    identity = identify_token(text, None)
    assert identity is not None
    assert identity.token_id == token.pk
    permission.refresh_from_db()
    assert permission.content_type.app_label == "hubbub"
    assert AccessToken.objects.create(user=alice, name="one more").pk > token.pk
    alice.delete()
    assert not AccessToken.objects.exists()
