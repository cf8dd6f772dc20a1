"""Settings of another project: each missing setting is one line of `check`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.process.refusals import REFUSED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent

# All that a project of its own needs. Each entry is left out, or made wrong, in its turn.
WHOLE = {
    "SECRET_KEY": "'x' * 50",
    "DEBUG": "False",
    "ALLOWED_HOSTS": "['testserver', '127.0.0.1']",
    "INSTALLED_APPS": "['hubbub', 'chat', 'monitor', 'django.contrib.auth', 'django.contrib.contenttypes', "
    "'django.contrib.sessions', 'django.contrib.staticfiles']",
    "MIDDLEWARE": "['django.contrib.sessions.middleware.SessionMiddleware', "
    "'django.contrib.auth.middleware.AuthenticationMiddleware']",
    "ROOT_URLCONF": "'django.contrib.staticfiles.urls'",
    "DATABASES": "{'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'site.sqlite3', "
    "'OPTIONS': {'transaction_mode': 'IMMEDIATE'}}}",
    "DEFAULT_AUTO_FIELD": "'django.db.models.BigAutoField'",
    "USE_TZ": "True",
    "STATIC_URL": "'static/'",
    "STATIC_ROOT": "'static'",
    "BASE_DIR": "__import__('pathlib').Path(__file__).parent",
    "HUBBUB": "{'REDIS_URL': 'redis://127.0.0.1:6379', 'TOKEN_SCOPES': {'chat.read': ''}}",
    "CHANNEL_LAYERS": "{'default': {'BACKEND': 'hubbub.layer.RedisPubSubLayer'}}",
    "ASGI_APPLICATION": "'application.application'",
}
ENGINE = {
    "INSTALLED_APPS": "['hubbub', 'django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions']"
}


def run(folder: Path, settings: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    (folder / "elsewhere.py").write_text("\n".join(f"{name} = {value}" for name, value in settings.items()))
    if not (application := folder / "application.py").exists():
        application.write_text("async def application(scope, receive, send): ...\n")
    keep = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_") and name != "REDIS_URL"}
    environ = keep | {"DJANGO_SETTINGS_MODULE": "elsewhere", "PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", code]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


def check(folder: Path, settings: dict[str, str]) -> list[str]:
    """The ids that `manage.py check` finds; that it says no more than one line and one hint for each."""
    ran = run(folder, settings, "from django.core.management import execute_from_command_line as go; go(['', 'check'])")
    assert "Traceback" not in ran.stderr, ran.stderr
    lines = [line for line in ran.stderr.splitlines() if re.match(r"\S+: \(", line)]
    identifiers = [re.search(r"\((\w+\.[EW]\d+)\)", line)[1] for line in lines]  # type: ignore[index]
    assert len([identifier for identifier in identifiers if not identifier.startswith("fields.")]) == ran.stderr.count(
        "HINT: "
    ), ran.stderr
    return identifiers


REDIS = "'REDIS_URL': 'redis://localhost', 'TOKEN_SCOPES': {}"


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"HUBBUB": f"{{{REDIS}, 'MAX_SOCKET': 5, 'GAP_MS': 'x', 'READER_THREADS': 0}}"}, ["hubbub.E020"] * 3),
        ({"HUBBUB": f"{{{REDIS}, 'AUTHENTICATE': 'shop.SignIn'}}"}, ["hubbub.E021"]),
        ({"HUBBUB": f"{{{REDIS}, 'PROGRAMS': {{'a': ['no_such_command']}}}}"}, ["hubbub.E021"]),
        ({"HUBBUB": "{'REDIS_URL': 5, 'TOKEN_SCOPES': {}}"}, ["hubbub.E020"]),
        ({"HUBBUB": "[1]"}, ["hubbub.E020"]),
        ({"CHAT": "{'BODY_CHARS': 0}"}, ["chat.E002"]),
        ({"MONITOR": "{'SAMPLE': 1}"}, ["monitor.E002"]),
        ({"TOKEN_SCOPES": "{}", "REDIS_PREFIX": "'mine'"}, ["hubbub.E022"] * 2),
        ({"REDIS_URL": "'redis://elsewhere'", "VAR_DIR": "'elsewhere'"}, []),
    ],
)
def test_each_fault_of_a_dictionary_is_one_line(tmp_path: Path, wrong: dict[str, str], found: list[str]) -> None:
    assert sorted(check(tmp_path, WHOLE | wrong)) == found


def test_a_complete_project_passes_all_checks(tmp_path: Path) -> None:
    assert check(tmp_path, WHOLE) == []
    assert check(tmp_path, WHOLE | ENGINE) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("CHANNEL_LAYERS", ["hubbub.E001"]),
        ("HUBBUB", ["hubbub.E010"]),
        ("BASE_DIR", ["hubbub.W010"]),
        ("ASGI_APPLICATION", ["hubbub.W011"]),
        ("STATIC_ROOT", ["hubbub.W013"]),
        ("ALLOWED_HOSTS", ["hubbub.W014"]),
        ("MIDDLEWARE", ["chat.E001", "chat.E001", "monitor.E001", "monitor.E001"]),
    ],
)
def test_each_setting_that_is_missing_is_one_line(tmp_path: Path, name: str, found: list[str]) -> None:
    assert check(tmp_path, {key: value for key, value in WHOLE.items() if key != name}) == found


MIGRATIONS = "from django.core.management import execute_from_command_line as go; go(['', 'makemigrations', '--check'])"


@pytest.mark.parametrize("key", ["AutoField", "BigAutoField", "SmallAutoField", ""])
def test_keys_of_another_kind_in_the_project_change_no_table_of_the_package(tmp_path: Path, key: str) -> None:
    """A warning for each table, and migrations in the installed package, would be the price."""
    settings = {name: value for name, value in WHOLE.items() if name != "DEFAULT_AUTO_FIELD"}
    if key:
        settings["DEFAULT_AUTO_FIELD"] = f"'django.db.models.{key}'"
    assert check(tmp_path, settings) == []
    ran = run(tmp_path, settings, MIGRATIONS)
    assert (ran.returncode, ran.stdout) == (0, "No changes detected\n"), ran.stderr


LAYER = "hubbub.layer.RedisPubSubLayer"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"'{LAYER}'", ["hubbub.E001"]),
        ("None", ["hubbub.E001"]),
        (f"{{'default': '{LAYER}'}}", ["hubbub.E001"]),
        ("{'default': {'BACKEND': 'channels.layers.InMemoryChannelLayer'}}", ["hubbub.W030"]),
        (f"{{'default': {{'BACKEND': '{LAYER}', 'CONFIG': None}}}}", ["hubbub.E001"]),
        (f"{{'default': {{'BACKEND': '{LAYER}', 'CONFIG': {{'hosts': ['redis://127.0.0.1:6379']}}}}}}", []),
        (f"{{'default': {{'BACKEND': '{LAYER}', 'CONFIG': {{'hosts': [('127.0.0.1', 6380)]}}}}}}", ["hubbub.W015"]),
    ],
)
def test_a_channel_layer_of_any_shape_is_one_line_at_most(tmp_path: Path, value: str, found: list[str]) -> None:
    assert check(tmp_path, WHOLE | {"CHANNEL_LAYERS": value}) == found


def test_the_hint_for_a_channel_layer_can_be_copied(tmp_path: Path) -> None:
    from hubbub.checks import LAYERS

    assert check(tmp_path, WHOLE | {"CHANNEL_LAYERS": LAYERS}) == []


def test_a_layer_without_hosts_uses_the_redis_of_redis_url(tmp_path: Path) -> None:
    code = """
import asyncio, django; django.setup()
from channels.layers import get_channel_layer
async def main():
    print([shard.host["address"] for shard in get_channel_layer()._get_layer()._shards])
asyncio.run(main())
"""
    assert run(tmp_path, WHOLE | ENGINE, code).stdout.strip() == "['redis://127.0.0.1:6379']"


def without(app: str) -> dict[str, str]:
    apps = ENGINE["INSTALLED_APPS"].replace(f", 'django.contrib.{app}'", "")
    return WHOLE | {"INSTALLED_APPS": apps}


def test_check_reports_a_project_without_sessions(tmp_path: Path) -> None:
    assert "hubbub.E011" in check(tmp_path, without("sessions"))


@pytest.mark.parametrize("app", ["auth", "contenttypes"])
def test_an_app_without_which_no_model_can_be_is_named(tmp_path: Path, app: str) -> None:
    """Django runs no check then: its last line is ours."""
    ran = run(tmp_path, without(app), "import django; django.setup()")
    last = ran.stderr.splitlines()[-1]
    assert last.endswith(f"hubbub needs 'django.contrib.{app}' in INSTALLED_APPS.")


def test_pages_without_static_files_are_a_line_for_each_app(tmp_path: Path) -> None:
    apps = WHOLE["INSTALLED_APPS"].replace(", 'django.contrib.staticfiles'", "")
    assert check(tmp_path, WHOLE | {"INSTALLED_APPS": apps}) == ["chat.E001", "monitor.E001"]


def test_scopes_of_topics_need_no_setting(tmp_path: Path) -> None:
    no_scopes = {"HUBBUB": "{'REDIS_URL': 'redis://127.0.0.1:6379'}"}
    assert check(tmp_path, WHOLE | no_scopes) == []
    assert check(tmp_path, WHOLE | ENGINE | no_scopes) == ["hubbub.W012"]


UP = "from django.core.management import execute_from_command_line as go; go(['', 'up', *{more!r}])"
SUPERVISED = ENGINE["INSTALLED_APPS"].replace("['hubbub',", "['hubbub', 'hubbub.supervisor',")
IN_MEMORY = "{'default': {'BACKEND': 'channels.layers.InMemoryChannelLayer'}}"
NO_FOLDER = 'Neither HUBBUB["VAR_DIR"] nor BASE_DIR is set: `up` and `runserver` refuse to start.'


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"BASE_DIR": "None"}, NO_FOLDER),
        ({"ASGI_APPLICATION": "None"}, "ASGI_APPLICATION is not set: `up` and `runserver` refuse to start."),
        ({"CHANNEL_LAYERS": IN_MEMORY}, "The channel layer in memory connects no processes: servers refuse to start."),
        ({"HUBBUB": "{}"}, 'HUBBUB["REDIS_URL"] is not set.'),
        ({"HUBBUB": "{'MAX_SOCKET': 1}"}, 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'),
    ],
)
def test_up_names_missing_parts_in_one_line(tmp_path: Path, wrong: dict[str, str], line: str) -> None:
    settings = WHOLE | {"INSTALLED_APPS": SUPERVISED} | wrong
    ran = run(tmp_path, settings, UP.format(more=["--skip-checks"]))
    assert ran.returncode == 1
    assert ran.stderr == f"CommandError: {line}\n"


APPLICATION = """
from django.core.asgi import get_asgi_application
http = get_asgi_application()
from hubbub.asgi.services import with_services
application = with_services(http, services=[])
"""
SERVE = "import sys, runpy; sys.argv = [{module!r}, '-p', '0', 'application:application']; sys.path.insert(0, '.'); "
RUN = "runpy.run_module({module!r}, run_name='__main__')"


@pytest.mark.parametrize("module", ["hubbub.server", "daphne"])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("{'MAX_SOCKET': 1}", 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'),
        ("{'GAP_MS': 'x'}", "HUBBUB[\"GAP_MS\"]='x': a whole number from 0 to 5000 is allowed."),
        ("5", "HUBBUB=5: a dictionary of settings is allowed."),
    ],
)
def test_a_server_refuses_wrong_settings_in_one_line(tmp_path: Path, module: str, wrong: str, line: str) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    ran = run(tmp_path, WHOLE | ENGINE | {"HUBBUB": wrong}, (SERVE + RUN).format(module=module))
    assert (ran.returncode, ran.stderr) == (REFUSED if module == "hubbub.server" else 1, f"{line}\n")


TWINS = """
from django.core.asgi import get_asgi_application
get_asgi_application()
from hubbub import SIGNED_IN, Topic, live
def make():
    class Bell(Topic, name="bell"):
        permission = SIGNED_IN
        def state(self): return 1
    return Bell
application = live(make(), make())
"""


def test_our_server_names_two_topics_of_one_name_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(TWINS)
    ran = run(tmp_path, WHOLE | ENGINE, (SERVE + RUN).format(module="hubbub.server"))
    bell = "application.make.<locals>.Bell"
    problem = f"two topics have the name 'bell': {bell} and {bell}; each topic has its own"
    line = f"LiveConsumer: {problem} (application, line 10)"
    assert (ran.returncode, ran.stderr) == (REFUSED, f"{line}\n")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"CHANNEL_LAYERS": IN_MEMORY}, "The channel layer in memory connects no processes: servers refuse to start."),
        ({"CHANNEL_LAYERS": "{}"}, "CHANNEL_LAYERS has no default channel layer."),
        ({"HUBBUB": "{}"}, 'HUBBUB["REDIS_URL"] is not set.'),
        (
            {"HUBBUB": "{'REDIS_URL': 'redis://localhost', 'AUTHENTICATE': 'a.b'}"},
            "HUBBUB[\"AUTHENTICATE\"]='a.b': there is no module 'a'.",
        ),
        ({"REDIS_PREFIX": "'mine'"}, 'The setting REDIS_PREFIX is not read any more: set HUBBUB["PREFIX"].'),
    ],
)
def test_our_server_refuses_what_cannot_work_in_one_line(tmp_path: Path, wrong: dict[str, str], line: str) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    ran = run(tmp_path, WHOLE | ENGINE | wrong, (SERVE + RUN).format(module="hubbub.server"))
    assert (ran.returncode, ran.stderr) == (REFUSED, f"{line}\n")
