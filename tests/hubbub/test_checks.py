"""System checks: each finds its fault in the settings, and none complains of a good site."""

from importlib import metadata
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection

from hubbub import checks

LAYER = "hubbub.layer.RedisPubSubLayer"


def check_ids() -> list[str]:
    return [str(message.id) for message in run_checks(tags=["hubbub"])]


ANOTHER_REDIS = "hubbub.W015"


def layers(*hosts: Any) -> dict[str, Any]:
    return {"default": {"BACKEND": LAYER, "CONFIG": {"hosts": list(hosts)}}}


def test_this_project_passes() -> None:
    assert check_ids() == []


def test_a_site_without_a_layer(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {}
    assert check_ids() == ["hubbub.E001"]
    with pytest.raises(CommandError, match=r"hubbub\.E001"):
        call_command("check")


def test_a_layer_that_connects_no_processes_is_for_trials(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    assert check_ids() == ["hubbub.W030"]
    call_command("check")
    assert checks.start_refusal() == "The channel layer in memory connects no processes: servers refuse to start."
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": ""}
    assert check_ids() == ["hubbub.W030"]  # Such a site has no Redis.


@pytest.mark.parametrize(
    ("version", "expected"),
    [("3.0.2", ["hubbub.E002"]), ("4.1.2", ["hubbub.E002"]), ("4.2.0", []), ("4.10", []), ("5.0rc1", [])],
)
def test_a_daphne_that_is_too_old(monkeypatch: pytest.MonkeyPatch, version: str, expected: list[str]) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert check_ids() == expected


def test_a_site_without_daphne_is_served_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert check_ids() == []


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("db", []),
        ("cached_db", []),
        ("cache", ["hubbub.E003"]),
        ("file", ["hubbub.E003"]),
        ("signed_cookies", ["hubbub.E003"]),
    ],
)
def test_sessions_that_the_database_does_not_know(settings: Any, engine: str, expected: list[str]) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    assert check_ids() == expected


def test_any_host_with_cookies(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [".example.org"]
    assert check_ids() == []
    settings.ALLOWED_HOSTS = ["chat.example.org", "*"]
    assert check_ids() == ["hubbub.W001"]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (False, []),
        (True, ["hubbub.W025"]),
        ({"max_size": 10}, ["hubbub.W025"]),
        ({"max_size": 11}, []),
        ({"min_size": 11}, []),
    ],
)
def test_a_pool_that_the_threads_of_sockets_use_up(
    settings: Any, monkeypatch: pytest.MonkeyPatch, pool: Any, expected: list[str]
) -> None:
    # Not `settings.DATABASES = …`: connections are made of it.
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "OPTIONS", database["OPTIONS"] | {"pool": pool})
    assert check_ids() == expected
    settings.HUBBUB = settings.HUBBUB | {"TOPIC_READER_THREADS": 2}
    assert check_ids() == (expected if pool is True else [])


@pytest.mark.database
@pytest.mark.django_db
def test_more_connections_than_postgresql_allows() -> None:
    found = [message.id for processes in (1, 1000) for message in checks.check_server_connections(processes)]
    assert found == (["hubbub.W026"] if connection.vendor == "postgresql" else [])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("redis://redis.example.org:6379/0", ["hubbub.W003"]),
        ("rediss://10.0.0.5", ["hubbub.W003"]),
        ("redis://[2001:db8::1]:6379", ["hubbub.W003"]),
        ("redis://user@10.0.0.5", ["hubbub.W003"]),
        ("redis://:secret@10.0.0.5", []),
        ("redis://user:secret@redis.example.org", []),
        ("redis://localhost:6379", []),
        ("redis://127.0.0.2", []),
        ("redis://[::1]:6379", []),
        ("unix:///run/redis.sock", []),
    ],
)
def test_a_redis_elsewhere_without_a_password(settings: Any, address: str, expected: list[str]) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": address}
    assert check_ids() == expected
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": "unix:///run/redis.sock"}
    for host in (address, {"address": address}):
        settings.CHANNEL_LAYERS = layers(host)
        assert [message for message in check_ids() if message != ANOTHER_REDIS] == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (("redis.example.org", 6379), ["hubbub.W003"]),
        (["10.0.0.5", 6379], ["hubbub.W003"]),
        (("localhost", 6379), []),
        ({"address": ("10.0.0.5", 6379)}, ["hubbub.W003"]),
        ({"address": ("10.0.0.5", 6379), "password": "secret"}, []),
        ({"address": "redis://10.0.0.5", "password": "secret"}, []),
        ({"address": "redis://10.0.0.5", "password": None}, ["hubbub.W003"]),
        ({"host": "10.0.0.5", "port": 6379}, ["hubbub.W003"]),
        ({"host": "10.0.0.5", "port": 6379, "password": "secret"}, []),
        ({"host": "127.0.0.1", "port": 6379}, []),
        ({"master_name": "main", "sentinels": [("10.0.0.5", 26379)]}, []),  # Only they know where it is.
    ],
)
def test_a_redis_elsewhere_that_is_named_otherwise_than_by_its_url(
    settings: Any, host: Any, expected: list[str]
) -> None:
    settings.CHANNEL_LAYERS = layers(host)
    assert [message for message in check_ids() if message != ANOTHER_REDIS] == expected


@pytest.mark.parametrize(
    ("redirect", "proxies", "expected"),
    [(True, [], ["hubbub.W005"]), (True, ["127.0.0.1"], []), (False, [], [])],
)
def test_a_redirect_for_ever(settings: Any, redirect: bool, proxies: list[str], expected: list[str]) -> None:
    settings.SECURE_SSL_REDIRECT = redirect
    settings.HUBBUB = settings.HUBBUB | {"TRUSTED_PROXIES": proxies}
    assert check_ids() == expected


def test_the_password_of_redis_is_not_shown(settings: Any) -> None:
    settings.CHANNEL_LAYERS = layers("redis://:secret@10.0.0.5", "redis://10.0.0.6")
    [warning] = [message for message in run_checks(tags=["hubbub"]) if message.id != ANOTHER_REDIS]
    assert "10.0.0.6" in str(warning)
    assert "secret" not in str(warning)


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.168.1.2", True),
        ("chat.example.org", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("[::1]", False),
        ("localhost", False),
    ],
)
def test_debug_on_a_public_address(settings: Any, host: str, is_public: bool) -> None:
    settings.DEBUG = True
    assert [message.id for message in checks.check_address(host)] == (["hubbub.W004"] if is_public else [])
    settings.DEBUG = False
    assert checks.check_address(host) == []
