"""Settings as an operator meets them: in a process of their own, from the environment."""

import ast
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def manage(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env=inherited | {"HUBBUB_VAR": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_production_environment_passes_the_deployment_check(tmp_path: Path) -> None:
    ran = manage(
        tmp_path,
        *("check", "--deploy", "--fail-level", "WARNING"),
        SECRET_KEY=secrets.token_urlsafe(64),
        ALLOWED_HOSTS="chat.example.org",
        HUBBUB_TLS="true",
        HUBBUB_TRUSTED_PROXIES="127.0.0.1",
        REDIS_URL="rediss://:password@redis.example.org",
    )
    assert ran.returncode == 0, ran.stderr
    # Silenced: that other hosts below this one's domain are left alone, as they are unless asked for.
    assert "no issues (2 silenced)" in ran.stdout


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "0 False False"),
        ({"HUBBUB_HSTS_SECONDS": "60"}, "0 False False"),
        ({"HUBBUB_TLS": "true"}, "31536000 False True"),
        ({"HUBBUB_TLS": "true", "HUBBUB_HSTS_SECONDS": "60", "HUBBUB_HSTS_SUBDOMAINS": "yes"}, "60 True True"),
        ({"HUBBUB_TLS": "true", "HUBBUB_HSTS_SECONDS": "0"}, "0 False True"),
    ],
)
def test_browsers_are_bound_to_https_as_far_as_it_is_set(tmp_path: Path, environ: dict[str, str], told: str) -> None:
    names = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SESSION_COOKIE_SECURE")
    shown = ", ".join(f"settings.{name}" for name in names)
    code = f"from django.conf import settings; print({shown})"
    assert manage(tmp_path, "shell", "-v0", "-c", code, **environ).stdout.strip() == told


def test_no_model_change_lacks_its_migration(tmp_path: Path) -> None:
    ran = manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "oracle://x"),
        ("REDIS_URL", "localhost"),
        ("CSRF_TRUSTED_ORIGINS", "example.org"),
        ("ALLOWED_HOSTS", "http://x y"),
        ("SECRET_KEY", ""),
        ("SECRET_KEY_FALLBACKS", "first,,third"),
        ("SECRET_KEY_FALLBACKS", "first, "),
        ("HUBBUB_TRUSTED_PROXIES", "proxy.example.org"),
        ("HUBBUB_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HUBBUB_TRUSTED_PROXIES", "127.0.0.1 10.0.0.0/8"),
        ("HUBBUB_TRUSTED_PROXIES", "*"),
        ("HUBBUB_AUTH_SECONDS", "soon"),
        ("HUBBUB_BODY_CHARS", "0"),
        ("HUBBUB_SAMPLE_SECONDS", "-1"),
        ("HUBBUB_SIGN_UP", "maybe"),
        ("HUBBUB_HSTS_SECONDS", "a year"),
        ("HUBBUB_HSTS_SECONDS", "-1"),
        ("HUBBUB_MISSPELT", "1"),
    ],
)
def test_a_bad_value_stops_the_start_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    ran = manage(tmp_path, "check", **{name: value})
    assert ran.returncode == 1
    assert ran.stderr.startswith(name)
    assert ran.stderr.count("\n") == 1


def test_where_a_bad_value_comes_from_is_shown_on_request(tmp_path: Path) -> None:
    assert manage(tmp_path, "check", "--traceback", DEBUG="perhaps").stderr.startswith("Traceback")


def test_debug_is_off_unless_asked_for(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.DEBUG, settings.ALLOWED_HOSTS)"
    assert manage(tmp_path, "shell", "-v0", "-c", code).stdout.strip() == "False ['localhost', '127.0.0.1', '[::1]']"


def test_a_silent_postgresql_is_given_up_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    show = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS'])"
    ran = manage(tmp_path, "shell", "-v0", "-c", show, DATABASE_URL="postgres://db.example.org/chat?connect_timeout=30")
    assert ran.returncode == 0, ran.stderr
    options = ast.literal_eval(ran.stdout)
    assert options["connect_timeout"] in (30, "30")
    assert options["tcp_user_timeout"] == 4000
    # Until an idle connection is known to be dead, in seconds.
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] < 10
    assert options["pool"]["timeout"] < 4
