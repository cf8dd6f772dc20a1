"""A site with a wrong declaration: the line of each command while apps are loaded, and of servers."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hubbub.process.refusals import REFUSED
from tests.support.servers import command_of, free_port
from tests.support.small_site import ASGI, ROUTING, TOPIC, manage, serve, write
from tests.test_settings_of_others import run

pytestmark = pytest.mark.slow

APPLICATION = "ASGI_APPLICATION='mysite.asgi.application'"

# While apps are loaded: no check has run yet, and each command has the line


NO_STATE = "from hubbub import SIGNED_IN, Topic\nclass Bell(Topic, name='bell'):\n    permission = SIGNED_IN\n"
BELL = "Bell: state=None: each topic defines `def state(self)`"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            "    @command(permission=VIEW)\n    def vote(self, user, option): ...\n",
            "PollTopic.vote: argument 'option' has no annotation; it is checked by one, such as `option: int` "
            "(shop.topics, line 9)",
        ),
        (
            "    @command(permission=VIEW)\n    async def vote(self, user): ...\n",
            "PollTopic.vote: commands run in threads: write `def` instead of `async def` (shop.topics, line 9)",
        ),
        (NO_STATE, f"{BELL} (shop.topics, line 10)"),
        (
            TOPIC.replace("PollTopic", "OtherTopic"),
            "OtherTopic: name='poll': shop.topics.PollTopic has this name; each topic has its own "
            "(shop.topics, line 12)",
        ),
    ],
)
def test_a_wrong_topic_is_one_line_of_each_command(tmp_path: Path, body: str, line: str) -> None:
    ran = manage(tmp_path, "migrate", files={"shop/topics.py": f"{TOPIC}{body}"})
    assert (ran.returncode, ran.stderr) == (1, f"{line}\n")


APP = """
from django.apps import AppConfig
class ShopConfig(AppConfig):
    name = "shop"
    def ready(self):
        import shop.bells
"""


@pytest.mark.parametrize(
    ("files", "settings", "line"),
    [
        ({"shop/models.py": NO_STATE}, {}, f"{BELL} (shop.models, line 2)"),
        ({"shop/bells.py": NO_STATE, "shop/apps.py": APP}, {}, f"{BELL} (shop.bells, line 2)"),
        (
            {"shop/bells.py": NO_STATE, "shop/urls.py": "import shop.bells\nurlpatterns = []"},
            {"ROOT_URLCONF": "'shop.urls'"},
            f"BadDeclaration: {BELL} (shop.bells, line 2)",
        ),
    ],
    ids=["models", "ready", "views"],
)
def test_a_wrong_topic_in_any_module_is_one_line_of_check(
    tmp_path: Path, files: dict[str, str], settings: dict[str, str], line: str
) -> None:
    ran = manage(tmp_path, "check", files=files, settings=settings)
    assert ran.returncode == 1
    assert re.sub(r"^_?Bad\w+: ", "BadDeclaration: ", ran.stderr) == f"{line}\n"


ABSENT = "import sys; sys.modules.update(dict.fromkeys({names!r}))\n"


def test_postgresql_without_its_driver_is_one_line(tmp_path: Path) -> None:
    database = {"DATABASES": "{'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'x'}}"}
    ran = manage(tmp_path, "check", settings=database, before=ABSENT.format(names=("psycopg", "psycopg2")))
    line = "DATABASES['default'] needs psycopg: pip install \"django-hubbub[postgres]\"\n"
    assert (ran.returncode, ran.stderr) == (1, line)


def test_a_site_without_users_is_one_line(tmp_path: Path) -> None:
    apps = {"INSTALLED_APPS": "['hubbub', 'django.contrib.contenttypes', 'django.contrib.sessions']"}
    ran = manage(tmp_path, "check", settings=apps)
    assert (ran.returncode, ran.stderr) == (1, "hubbub needs 'django.contrib.auth' in INSTALLED_APPS.\n")


ROUTERS = """
import shop
class Router:
    def __init__(self):
        shop.missing
"""


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("['mysite.router.Router']", "DATABASE_ROUTERS: 'mysite.router.Router': there is no module 'mysite.router'."),
        ("['shop.routers.Other']", "DATABASE_ROUTERS: 'shop.routers.Other': the module 'shop.routers' has no 'Other'."),
        ("['routers']", "DATABASE_ROUTERS: 'routers' is no dotted path, such as 'mysite.routers.Router'."),
        ("('shop.routers.Router')", "DATABASE_ROUTERS='shop.routers.Router': a list of dotted paths is allowed."),
        (
            "['shop.routers.Router']",
            "DATABASE_ROUTERS: 'shop.routers.Router' cannot be made: AttributeError: module 'shop' has no attribute "
            "'missing' (shop/routers.py, line 5).",
        ),
    ],
)
def test_a_router_that_cannot_be_used_is_one_line(tmp_path: Path, value: str, line: str) -> None:
    ran = manage(tmp_path, "check", settings={"DATABASE_ROUTERS": value}, files={"shop/routers.py": ROUTERS})
    assert (ran.returncode, ran.stderr) == (1, f"{line}\n")


# Servers

NAME_ERROR = " cannot be imported: NameError: name 'missing' is not defined (shop/routing.py, line 7)."


def test_up_stops_at_once_with_the_line(tmp_path: Path) -> None:
    ran = manage(tmp_path, "up", "--port", "0", "--skip-checks", files={"shop/routing.py": f"{ROUTING}missing\n"})
    assert (ran.returncode, ran.stderr, ran.stdout) == (1, f"CommandError: {APPLICATION}{NAME_ERROR}\n", "")


def test_up_stops_at_once_where_only_a_server_process_fails(tmp_path: Path) -> None:
    """A command has set Django up already, so models that are imported too early are no error in it."""
    too_early = {"mysite/asgi.py": f"from shop.routing import routes\n{ASGI}"}
    ran = manage(tmp_path, "up", "--port", "0", "--processes", "1", files=too_early)
    cause = "AppRegistryNotReady: Apps aren't loaded yet (shop/routing.py, line 3)."
    line = f"mysite.asgi:application cannot be imported: {cause}"
    assert (ran.returncode, ran.stderr.splitlines()[-1:]) == (1, [f"CommandError: {line}"])
    assert "restarts in" not in ran.stdout + ran.stderr


def test_up_without_daphne_says_what_to_install(tmp_path: Path) -> None:
    ran = manage(tmp_path, "up", "--port", "0", before=ABSENT.format(names=("daphne",)))
    line = 'CommandError: manage.py up needs daphne: pip install "django-hubbub[server]"\n'
    assert (ran.returncode, ran.stderr) == (1, line)


@pytest.mark.parametrize(
    ("word", "files", "line"),
    [
        ("mysite.asgy:application", {}, "mysite.asgy:application: there is no module 'mysite.asgy'."),
        ("mysite.asgi:app", {}, "mysite.asgi:app: the module 'mysite.asgi' has no 'app'."),
        ("mysite.asgi", {}, "'mysite.asgi' is no application: write mysite.asgi:application."),
        (
            "mysite.asgi:application",
            {"shop/routing.py": f"{ROUTING}missing\n"},
            f"mysite.asgi:application{NAME_ERROR}",
        ),
        ("mysite.asgi:application", {"shop/topics.py": f"{TOPIC}{NO_STATE}"}, f"{BELL} (shop.topics, line 10)"),
    ],
)
def test_our_server_refuses_in_one_line(tmp_path: Path, word: str, files: dict[str, str], line: str) -> None:
    ran = serve(tmp_path, word, files=files)
    assert (ran.returncode, ran.stderr) == (REFUSED, f"{line}\n")


def test_our_server_without_daphne_says_what_to_install(tmp_path: Path) -> None:
    ran = serve(tmp_path, "mysite.asgi:application", before=ABSENT.format(names=("daphne",)))
    assert (ran.returncode, ran.stderr) == (1, 'hubbub.server needs daphne: pip install "django-hubbub[server]"\n')


def test_our_runserver_refuses_in_one_line(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUN_MAIN", raising=False)
    settings.ASGI_APPLICATION = "project.asgy.application"
    line = r"^ASGI_APPLICATION='project\.asgy\.application': there is no module 'project\.asgy'\.$"
    with pytest.raises(CommandError, match=line):
        call_command("runserver", "0", use_reloader=False, skip_checks=True)


UNKNOWN = {"HUBBUB": "{'MAX_SOCKET': 1}"}
UNKNOWN_LINE = 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'


RUN = "import os; os.execv({command[0]!r}, {command!r})"
READ_AND_STOP = """
import subprocess
server = subprocess.Popen({command!r}, stderr=subprocess.PIPE, text=True)
print(*(server.stderr.readline() for _ in range({count})), sep="", end="")
assert server.poll() is None
server.terminate()
server.communicate(timeout=20)
"""


def start(folder: Path, kind: str, code: str, count: int = 0) -> Any:
    """Start another server on wrong settings, by code that runs its `command`, and reads so many lines of it."""
    fields = {"port": str(free_port()), "application": "mysite.asgi:application"}
    command = [sys.executable, *(part.format(**fields) for part in command_of(kind))]
    return run(folder, write(folder, settings=UNKNOWN), code.format(command=command, count=count))


@pytest.mark.parametrize(("kind", "status"), [("uvicorn", 1), ("hypercorn", 0), ("granian", 1)])
def test_another_server_ends_with_the_line(tmp_path: Path, kind: str, status: int) -> None:
    ran = start(tmp_path, kind, RUN)
    assert (ran.returncode, ran.stderr) == (status, f"{UNKNOWN_LINE}\n")


@pytest.mark.parametrize(("kind", "count"), [("gunicorn", 5), ("uvicorn with 2 workers", 3)])
def test_a_server_that_restarts_its_workers_repeats_the_line(tmp_path: Path, kind: str, count: int) -> None:
    ran = start(tmp_path, kind, READ_AND_STOP, count)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines().count(UNKNOWN_LINE) >= 3
    assert "Traceback" not in ran.stdout
