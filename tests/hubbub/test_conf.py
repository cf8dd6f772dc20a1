"""Settings from environment variables: a bad value stops the start with its name and its bounds."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from chat.conf import Chat
from hubbub import conf
from hubbub.conf import Hubbub
from monitor.conf import Monitor
from project import env, tunables
from project.accounts.conf import Accounts


def test_a_tunable_is_read_from_its_variable_and_else_has_its_default() -> None:
    read = tunables.from_env(Hubbub, {"HUBBUB_AUTH_SECONDS": "2.5", "HUBBUB_READER_THREADS": "7"})
    assert (read["AUTH_SECONDS"], read["READER_THREADS"]) == (2.5, 7)
    assert read["FRAME_BYTES"] == Hubbub().frame_bytes == 64 * 1024


def test_what_is_read_are_settings(settings: Any) -> None:
    settings.HUBBUB = tunables.from_env(Hubbub, {"HUBBUB_AUTH_SECONDS": "2.5"})
    assert conf.settings.problems() == []
    assert conf.settings().auth_seconds == 2.5


def test_a_prefix_separates_the_names_of_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.read_prefix("HUBBUB_OTHER_PREFIX") == ""
    for text in ("a_b", "a.b", "a:b", "x" * 41, "a\n"):
        monkeypatch.setenv("HUBBUB_PREFIX", text)
        with pytest.raises(ImproperlyConfigured, match=r"HUBBUB_PREFIX=.* is invalid: use 1 to 40 letters"):
            env.read_prefix("HUBBUB_PREFIX")


@pytest.mark.parametrize("text", ["", "soon", "1s", "nan", "-1", "0", "1e9"])
def test_a_bad_tunable_names_its_variable(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HUBBUB_AUTH_SECONDS"):
        tunables.from_env(Hubbub, {"HUBBUB_AUTH_SECONDS": text})


def test_a_fraction_in_place_of_a_whole_number_is_refused() -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"HUBBUB_READER_THREADS='2\.5': a whole number from 1 to 64 is allowed"
    ):
        tunables.from_env(Hubbub, {"HUBBUB_READER_THREADS": "2.5"})


def test_out_of_range_says_what_is_allowed() -> None:
    with pytest.raises(ImproperlyConfigured, match="from 1 to 64 is allowed"):
        tunables.from_env(Hubbub, {"HUBBUB_READER_THREADS": "65"})


def test_pings_that_overlap_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="HUBBUB_PING_TIMEOUT_SECONDS=21 is above HUBBUB_PING_SECONDS=20"):
        tunables.from_env(Hubbub, {"HUBBUB_PING_TIMEOUT_SECONDS": "21"})


def test_a_misspelt_tunable_is_refused() -> None:
    known = tunables.env_names(Hubbub)
    tunables.check_known({"HUBBUB_AUTH_SECONDS": "5", "OTHER": "x"}, known)
    with pytest.raises(ImproperlyConfigured, match="HUBBUB_AUTH_SECOND "):
        tunables.check_known({"HUBBUB_AUTH_SECOND": "5"}, known)


def test_a_name_of_before_is_refused_with_the_one_of_now() -> None:
    known = tunables.env_names(Hubbub, Chat, Monitor, Accounts)
    assert set(tunables.RENAMED.values()) <= known
    assert not tunables.RENAMED.keys() & known
    for before, now in tunables.RENAMED.items():
        with pytest.raises(ImproperlyConfigured, match=f"{before} was renamed: set {now} instead"):
            tunables.check_known({before: "5"}, known)


@pytest.mark.parametrize("text", ["maybe", "", "2"])
def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DEBUG", text)
    with pytest.raises(ImproperlyConfigured, match="DEBUG"):
        env.read_bool("DEBUG", False)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgres", "sqlite", "http://localhost/db"])
def test_a_database_url_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must be sqlite:///path or postgres://"):
        env.read_database("DATABASE_URL", Path("unused"), connections=20)


def test_nothing_of_a_postgresql_connection_outlives_its_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a pooler: no cursor of the server (Django prepares no statements by itself)."""
    monkeypatch.setenv("DATABASE_URL", "postgres://db.example.org/chat")
    database = env.read_database("DATABASE_URL", Path("unused"), connections=20)
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert "prepare_threshold" not in database["OPTIONS"]


@pytest.mark.parametrize(("query", "name"), [("", "hubbub blue/{pid}"), ("?application_name=chat", "chat")])
def test_postgresql_shows_the_process_of_a_connection(monkeypatch: pytest.MonkeyPatch, query: str, name: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://db.example.org/chat{query}")
    monkeypatch.setenv("HUBBUB_HOST_NAME", "blue")
    options = env.read_database("DATABASE_URL", Path("unused"), connections=20)["OPTIONS"]
    assert (options["application_name"], options["pool"]["max_size"]) == (name.format(pid=os.getpid()), 20)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost"])
def test_a_redis_url_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must start with"):
        env.read_redis_url("REDIS_URL", "redis://unused")


@pytest.mark.parametrize("origin", ["example.org", "https://", "ftp://example.org", "https://example.org/path"])
def test_an_origin_has_a_scheme_and_a_host(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("CSRF_TRUSTED_ORIGINS", f"https://fine.example.org,{origin}")
    with pytest.raises(ImproperlyConfigured, match="CSRF_TRUSTED_ORIGINS"):
        env.read_origins("CSRF_TRUSTED_ORIGINS")


@pytest.mark.parametrize(
    "host",
    [
        *("http://x y", "https://example.org", "example.org:8000", "*.example.org", "example.org.", "..example.org"),
        *("a b", "-a.org", "a..b", "example.org/", ".", "::1", "[::1", "[::1]:80", "[127.0.0.1]", "münchen.de"),
    ],
)
def test_a_host_that_can_match_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", f"fine.example.org,{host}")
    with pytest.raises(ImproperlyConfigured, match=r"ALLOWED_HOSTS: .* is not a host name"):
        env.read_hosts("ALLOWED_HOSTS", [])


def test_hosts_are_names_domains_addresses_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [
        "localhost",
        "Chat.example.org",
        ".example.org",
        "my_site-2.lan",
        "127.0.0.1",
        "[::1]",
        "[2001:db8::a]",
        "*",
    ]
    monkeypatch.setenv("ALLOWED_HOSTS", ", ".join(hosts))
    assert env.read_hosts("ALLOWED_HOSTS", []) == hosts


def test_the_secret_key_is_made_once_for_its_owner_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    path = tmp_path / "var" / "secret_key"
    key = env.read_secret_key(path)
    assert len(key) > 50
    assert env.read_secret_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["secret_key"]


def test_an_empty_secret_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        env.read_secret_key(tmp_path / "secret_key")
