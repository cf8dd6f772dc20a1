"""psycopg, daphne and psutil are imported by what uses them alone: a site that has no use for them has not got them."""

from pathlib import Path

import pytest

from tests.test_settings_of_others import ENGINE, WHOLE, run

pytestmark = pytest.mark.slow

ABSENT = (
    *("psycopg", "psycopg_pool", "psycopg2", "daphne", "twisted", "autobahn", "psutil", "markdown_it", "websockets"),
    *("dj_database_url", "whitenoise"),
)
WITHOUT = f"""
import sys
for name in {ABSENT!r}:
    sys.modules[name] = None
import django
django.setup()
"""
IMPORT_ALL = """
import importlib, pkgutil
for package in map(importlib.import_module, {packages!r}):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith({users!r}):
            importlib.import_module(module.name)
            print(module.name)
"""
USERS = (
    "hubbub.server",
    "hubbub.client.",
    "monitor.readings",
    "monitor.publisher",
    "monitor.management.commands.publish_metrics",
)
APPS = WHOLE["INSTALLED_APPS"].replace("['hubbub',", "['hubbub', 'hubbub.supervisor', 'django.contrib.admin',")


def test_no_module_but_those_that_use_them_imports_them(tmp_path: Path) -> None:
    settings = WHOLE | {"INSTALLED_APPS": APPS}
    ran = run(tmp_path, settings, WITHOUT + IMPORT_ALL.format(packages=["hubbub", "chat", "monitor"], users=USERS))
    assert ran.returncode == 0, ran.stderr
    names = ran.stdout.split()
    assert {"hubbub.asgi", "hubbub.layer", "hubbub.testing", "hubbub.supervisor.supervisor", "chat.consumers"} <= {
        *names
    }


def test_an_engine_on_sqlite_works_without_them(tmp_path: Path) -> None:
    code = """
from django.core.management import call_command
call_command("check")
call_command("migrate", verbosity=0)
import asyncio
from hubbub import threads
from django.contrib.auth import get_user_model
print(asyncio.run(threads.read(get_user_model().objects.count)))
threads.close()
"""
    ran = run(tmp_path, WHOLE | ENGINE, WITHOUT + code)
    assert ran.stdout.splitlines()[-1:] == ["0"], ran.stderr


def test_an_app_without_its_package_is_a_line_of_check(tmp_path: Path) -> None:
    code = WITHOUT.replace("psycopg", "x") + "from django.core.management import call_command; call_command('check')"
    ran = run(tmp_path, WHOLE, code)
    lines = {
        '?: (chat.E003) chat needs markdown-it-py: pip install "django-hubbub[chat]"',
        '?: (monitor.E003) monitor needs psutil: pip install "django-hubbub[monitor]"',
    }
    assert {text for text in ran.stderr.splitlines() if ".E003" in text} == lines
