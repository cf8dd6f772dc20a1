"""A whole small site in a folder, of which a test makes one part wrong."""

import subprocess
from pathlib import Path
from typing import Any

from tests.test_settings_of_others import ENGINE, WHOLE, run

TOPIC = """
from hubbub import SIGNED_IN, VIEW, Topic, command

class PollTopic(Topic, name="poll"):
    permission = SIGNED_IN

    def state(self):
        return 1
"""
ROUTING = """
from django.urls import path
from hubbub import live
from shop.topics import PollTopic

routes = [path("ws/polls/", live(PollTopic).as_asgi(), name="polls")]
"""
ASGI = """
import os
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "elsewhere")
http = get_asgi_application()

import hubbub.asgi
from shop.routing import routes

application = hubbub.asgi.application(http, routes)
"""
FILES = {
    "shop/__init__.py": "",
    "shop/topics.py": TOPIC,
    "shop/routing.py": ROUTING,
    "mysite/__init__.py": "",
    "mysite/asgi.py": ASGI,
}
SETTINGS = WHOLE | {
    "INSTALLED_APPS": ENGINE["INSTALLED_APPS"].replace("['hubbub',", "['hubbub', 'hubbub.supervisor', 'shop',"),
    "ASGI_APPLICATION": "'mysite.asgi.application'",
}
REDIS = "'REDIS_URL': 'redis://127.0.0.1:6379'"
COMMAND = "from django.core.management import execute_from_command_line as go; go(['', *{words!r}])"
SERVE = "import sys, runpy; sys.argv = ['hubbub.server', '-p', '0', *{words!r}]; sys.path.insert(0, '.'); "
MODULE = "runpy.run_module('hubbub.server', run_name='__main__')"


def manage(folder: Path, *words: str, before: str = "", **wrong: Any) -> subprocess.CompletedProcess[str]:
    """Run a management command of the site. `before`: code that runs first; `wrong`: see `write`."""
    return run(folder, write(folder, **wrong), before + COMMAND.format(words=words))


def serve(folder: Path, *words: str, before: str = "", **wrong: Any) -> subprocess.CompletedProcess[str]:
    """Run `python -m hubbub.server` with these arguments."""
    return run(folder, write(folder, **wrong), before + SERVE.format(words=words) + MODULE)


def write(folder: Path, settings: dict[str, str] | None = None, files: dict[str, str] | None = None) -> dict[str, str]:
    """Write the files of the site, with `files` in place of some. Returns its settings, with some of `settings`."""
    for path, text in (FILES | (files or {})).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return SETTINGS | (settings or {})
