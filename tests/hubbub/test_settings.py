"""The dictionaries of settings: keys, values, defaults, and one line for each fault."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from chat.conf import settings as chat_settings
from hubbub import conf
from hubbub.checks import require_settings, start_refusal


def errors() -> list[str]:
    return [f"{message.id}: {message.msg}" for message in run_checks(tags=["hubbub", "chat", "monitor", "accounts"])]


# Reading


def test_a_key_is_the_name_of_a_field_in_capitals(settings: Any) -> None:
    settings.HUBBUB = {"MAX_SOCKETS": 7, "GAP_MS": 0, "AUTH_SECONDS": 2, "TRUSTED_PROXIES": ["10.0.0.0/8", "unix"]}
    read = conf.settings()
    assert (read.max_sockets, read.gap_ms, read.auth_seconds) == (7, 0, 2.0)
    assert read.trusted_proxies == ("10.0.0.0/8", "unix")
    assert read.frame_bytes == 64 * 1024
    with pytest.raises(AttributeError):
        read.max_sockets = 8  # type: ignore[misc]


def test_without_a_dictionary_there_are_defaults(settings: Any) -> None:
    del settings.HUBBUB, settings.CHAT
    assert conf.settings().max_sockets == 10_000
    assert chat_settings().page_messages == 50
    settings.HUBBUB = None
    assert conf.settings().max_sockets == 10_000


def test_a_dictionary_is_read_once_and_again_when_it_is_replaced(settings: Any) -> None:
    settings.HUBBUB = {"MAX_SOCKETS": 7}
    before = conf.settings()
    assert conf.settings() is before
    settings.HUBBUB = {"MAX_SOCKETS": 8}
    assert conf.settings().max_sockets == 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(django_settings, "HUBBUB", {"MAX_SOCKETS": 9})  # Without Django's signal.
        assert conf.settings().max_sockets == 9


def test_the_data_folder_is_by_default_in_the_folder_of_the_project(settings: Any, tmp_path: Path) -> None:
    settings.HUBBUB, settings.BASE_DIR = {}, tmp_path
    assert conf.settings().var_dir == tmp_path / "var"
    settings.BASE_DIR = "/srv/site"  # As older projects have it.
    assert conf.settings().var_dir == Path("/srv/site/var")
    settings.HUBBUB = {"VAR_DIR": "/var/lib/site"}
    assert conf.settings().var_dir == Path("/var/lib/site")
    settings.HUBBUB = {"VAR_DIR": tmp_path / "data"}
    assert conf.settings().var_dir == tmp_path / "data"


def test_without_any_data_folder_check_says_so(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"VAR_DIR": None}
    assert errors() == [
        'hubbub.W010: Neither HUBBUB["VAR_DIR"] nor BASE_DIR is set: `up` and `runserver` refuse to start.'
    ]


# Faults

WRONG = [
    ("HUBBUB", {"MAX_SOCKET": 5}, 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'),
    ("HUBBUB", {"max_sockets": 5}, 'HUBBUB["max_sockets"] is unknown: did you mean MAX_SOCKETS?'),
    ("HUBBUB", {"REDIS": "redis://x"}, 'HUBBUB["REDIS"] is unknown: did you mean REDIS_URL?'),
    ("HUBBUB", {"MAX_SOCKETS": "5"}, "HUBBUB[\"MAX_SOCKETS\"]='5': a whole number from 1 to 1000000 is allowed."),
    ("HUBBUB", {"MAX_SOCKETS": True}, 'HUBBUB["MAX_SOCKETS"]=True: a whole number from 1 to 1000000 is allowed.'),
    ("HUBBUB", {"MAX_SOCKETS": 0}, 'HUBBUB["MAX_SOCKETS"]=0: a whole number from 1 to 1000000 is allowed.'),
    ("HUBBUB", {"READER_THREADS": 2.5}, 'HUBBUB["READER_THREADS"]=2.5: a whole number from 1 to 64 is allowed.'),
    ("HUBBUB", {"AUTH_SECONDS": None}, 'HUBBUB["AUTH_SECONDS"]=None: a number from 0.1 to 60 is allowed.'),
    ("HUBBUB", {"AUTH_SECONDS": float("nan")}, 'HUBBUB["AUTH_SECONDS"]=nan: a number from 0.1 to 60 is allowed.'),
    ("HUBBUB", {"FIRST_ADMIN": "no"}, "HUBBUB[\"FIRST_ADMIN\"]='no': True or False is allowed."),
    ("HUBBUB", {"VAR_DIR": 5}, 'HUBBUB["VAR_DIR"]=5: a path is allowed.'),
    (
        "HUBBUB",
        {"PREFIX": "a:b"},
        "HUBBUB[\"PREFIX\"]='a:b': a text of at most 40 letters, digits and hyphens is allowed.",
    ),
    (
        "HUBBUB",
        {"TRUSTED_PROXIES": "127.0.0.1"},
        "HUBBUB[\"TRUSTED_PROXIES\"]='127.0.0.1': a list of addresses, networks and `unix` is allowed.",
    ),
    (
        "HUBBUB",
        {"TRUSTED_PROXIES": ["10.0.0.1/8"]},
        "HUBBUB[\"TRUSTED_PROXIES\"]: '10.0.0.1/8' is not an address, a network such as 10.0.0.0/8 "
        "(without host bits), or unix.",
    ),
    (
        "HUBBUB",
        {"PROGRAMS": {"publisher": "publish_metrics"}},
        "HUBBUB[\"PROGRAMS\"]={'publisher': 'publish_metrics'}: a dictionary of commands by name, such as "
        "{'publisher': ['publish_metrics']} is allowed.",
    ),
    (
        "HUBBUB",
        {"TOKEN_SCOPES": ["chat.read"]},
        "HUBBUB[\"TOKEN_SCOPES\"]=['chat.read']: a dictionary of descriptions by scope is allowed.",
    ),
    (
        "HUBBUB",
        {"PING_SECONDS": 5, "PING_TIMEOUT_SECONDS": 6},
        'HUBBUB["PING_TIMEOUT_SECONDS"]=6 is above HUBBUB["PING_SECONDS"]=5: it must be at most as long.',
    ),
    (
        "HUBBUB",
        {"AUTHENTICATE": "signin"},
        "HUBBUB[\"AUTHENTICATE\"]='signin': the dotted path of a class is allowed.",
    ),
    ("HUBBUB", ["x"], "HUBBUB=['x']: a dictionary of settings is allowed."),
    ("CHAT", {"BODY_CHAR": 1}, 'CHAT["BODY_CHAR"] is unknown: did you mean BODY_CHARS?'),
    ("MONITOR", {"SAMPLE_SECONDS": 0}, 'MONITOR["SAMPLE_SECONDS"]=0: a number from 0.1 to 60 is allowed.'),
    ("ACCOUNTS", {"PASSWORD_HASHES": 65}, 'ACCOUNTS["PASSWORD_HASHES"]=65: a whole number from 1 to 64 is allowed.'),
]
IDS = {"HUBBUB": "hubbub.E020", "CHAT": "chat.E002", "MONITOR": "monitor.E002", "ACCOUNTS": "accounts.E001"}


def set_wrong(settings: Any, name: str, wrong: Any) -> None:
    is_dictionary = isinstance(wrong, dict)
    setattr(settings, name, getattr(settings, name) | wrong if is_dictionary else wrong)


@pytest.mark.parametrize(("name", "wrong", "line"), WRONG)
def test_a_fault_is_one_line_of_check_and_of_a_server(settings: Any, name: str, wrong: Any, line: str) -> None:
    set_wrong(settings, name, wrong)
    assert f"{IDS[name]}: {line}" in errors()
    assert len([error for error in errors() if error.startswith(IDS[name])]) == 1
    with pytest.raises(CommandError, match=IDS[name]):
        call_command("check")
    assert start_refusal() == line
    with pytest.raises(ImproperlyConfigured) as refused:
        require_settings()
    assert str(refused.value) == line


def test_each_fault_has_its_line_and_the_others_hold(settings: Any) -> None:
    settings.HUBBUB = {"MAX_SOCKETS": 0, "GAP_MS": "x", "READER_THREADS": 5}
    assert [problem.split("=")[0] for problem in conf.settings.problems()] == [
        'HUBBUB["MAX_SOCKETS"]',
        'HUBBUB["GAP_MS"]',
    ]
    usable = conf.settings.usable()
    assert (usable.max_sockets, usable.reader_threads) == (10_000, 5)
    with pytest.raises(ImproperlyConfigured, match="MAX_SOCKETS"):
        conf.settings()


def test_a_long_value_is_cut(settings: Any) -> None:
    settings.HUBBUB = {"MAX_SOCKETS": "x\n" * 1000}
    [line] = conf.settings.problems()
    assert len(line) < 200
    assert "\n" not in line


def test_a_wrong_redis_url_is_not_shown_since_it_may_have_a_password(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": "http://:secret@localhost"}
    assert errors() == ['hubbub.E020: HUBBUB["REDIS_URL"]: redis://…, rediss://… or unix://… is allowed.']


def test_without_redis_check_says_so(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": ""}
    settings.REDIS_URL = "redis://localhost"  # Of a library that reads it there.
    [message] = run_checks(tags=["hubbub"])
    assert message.msg == start_refusal() == 'HUBBUB["REDIS_URL"] is not set.'
    assert "The setting REDIS_URL outside of HUBBUB is not read." in str(message.hint)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            {"AUTHENTICATE": "tests.nowhere.SignIn"},
            "HUBBUB[\"AUTHENTICATE\"]='tests.nowhere.SignIn': there is no module 'tests.nowhere'.",
        ),
        (
            {"AUTHENTICATE": "tests.support.clock.SignIn"},
            "HUBBUB[\"AUTHENTICATE\"]='tests.support.clock.SignIn': the module 'tests.support.clock' has no 'SignIn'.",
        ),
        (
            {"PROGRAMS": {"worker": ["no_such_command", "--fast"]}},
            "HUBBUB[\"PROGRAMS\"]['worker']: no installed app has the command 'no_such_command'.",
        ),
    ],
)
def test_a_name_of_nothing_is_one_line(settings: Any, wrong: dict[str, Any], line: str) -> None:
    settings.HUBBUB = settings.HUBBUB | wrong
    assert errors() == [f"hubbub.E021: {line}"]
    assert start_refusal() == line


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("REDIS_PREFIX", "PREFIX"),
        ("HUBBUB_PROGRAMS", "PROGRAMS"),
        ("TOKEN_SCOPES", "TOKEN_SCOPES"),
        ("FIRST_ADMIN", "FIRST_ADMIN"),
    ],
)
def test_a_setting_of_before_is_refused_with_its_key(settings: Any, name: str, key: str) -> None:
    setattr(settings, name, None)
    line = f'The setting {name} is not read any more: set HUBBUB["{key}"].'
    assert errors() == [f"hubbub.E022: {line}"]
    assert start_refusal() == line


def test_settings_that_other_libraries_read_are_left_alone(settings: Any) -> None:
    settings.REDIS_URL, settings.TRUSTED_PROXIES, settings.VAR_DIR = "redis://elsewhere", ["x"], "/tmp"
    assert errors() == []
    assert conf.settings().redis_url != "redis://elsewhere"
