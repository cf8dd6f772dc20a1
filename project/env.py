"""Strict readers for environment variables: a bad value stops the start with its name and what is allowed."""

import ipaddress
import os
import re
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from hubbub.process.addresses import TrustedProxies

SQLITE_BUSY_SECONDS = 2  # A post has 4 s in all: waiting longer for the write lock could not be answered in time.
# As for PostgreSQL: one that does not answer, and says nothing at all, is given up within the time of a post.
POSTGRESQL_CONNECTION = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,  # Milliseconds.
}
POSTGRESQL_POOL = {
    "min_size": 1,
    "max_size": 16,
    "timeout": 3,
    # Afterwards whoever asks next begins anew. Left to itself the pool doubles its pauses: up to two minutes.
    "reconnect_timeout": 2,
}
MAIL_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
HOST_NAME = re.compile(r"\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.IGNORECASE)


def read_bool(name: str, default: bool) -> bool:
    text = os.environ.get(name)
    return default if text is None else parse_bool(name, text)


def read_int(name: str, default: int, *, low: int, high: int) -> int:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not a whole number: {low} to {high} is allowed.") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name}={value} is out of range: {low} to {high} is allowed.")
    return value


def read_choice(name: str, default: str, choices: Collection[str]) -> str:
    text = os.environ.get(name, default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name}={text!r} is none of: {', '.join(choices)}.")
    return text


def read_list(name: str, default: list[str]) -> list[str]:
    """Comma-separated words; empty means none."""
    text = os.environ.get(name)
    return default if text is None else [word.strip() for word in text.split(",") if word.strip()]


def read_hosts(name: str, default: list[str]) -> list[str]:
    """Host names as Django's ALLOWED_HOSTS takes them: an entry that can match nothing is refused."""
    hosts = read_list(name, default)
    for host in hosts:
        if not (host == "*" or HOST_NAME.fullmatch(host) or _is_bracketed_ipv6(host)):
            raise ImproperlyConfigured(
                f"{name}: {host!r} is not a host name, .domain with all below it, IPv4 address, [IPv6 address] or *."
            )
    return hosts


def read_origins(name: str) -> list[str]:
    origins = read_list(name, [])
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
            raise ImproperlyConfigured(f"{name}: {origin!r} is not an origin such as https://chat.example.org.")
    return origins


def read_proxies(name: str) -> list[str]:
    """Addresses and networks of proxies, and `unix`."""
    proxies = read_list(name, [])
    for proxy in proxies:
        try:
            TrustedProxies([proxy])
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: {proxy!r} is not an address, a network such as 10.0.0.0/8 (without host bits), or unix."
            ) from None
    return proxies


def read_secret_key(path: Path) -> str:
    """`SECRET_KEY`, or the key kept in `path`, which is made at the first start, readable by its owner only."""
    if key := os.environ.get("SECRET_KEY"):
        return key
    if "SECRET_KEY" in os.environ:
        raise ImproperlyConfigured("SECRET_KEY is empty: give a long random string, or leave it unset.")
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written aside and linked: of two processes that start at once, both must read the same whole key.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(64))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()


def read_former_keys(name: str) -> list[str]:
    """Keys that `SECRET_KEY` had before, separated by commas: they sign nothing, and what they signed is accepted."""
    text = os.environ.get(name, "")
    keys = [key.strip() for key in text.split(",")] if text.strip() else []
    if "" in keys:
        raise ImproperlyConfigured(f"{name} has an empty key: give former values of SECRET_KEY, separated by commas.")
    return keys


def read_database(name: str, default_file: Path) -> dict[str, Any]:
    """Django's database configuration from a URL: `sqlite:///path` or `postgres://user:password@host:port/name`."""
    url = os.environ.get(name) or f"sqlite:///{default_file}"
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(url))
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        database = {}
    match database.get("ENGINE"):
        case "django.db.backends.sqlite3":
            # Several processes write: WAL lets readers go on, IMMEDIATE takes the write lock at the start of a
            # transaction, where waiting for it works, instead of failing in its middle.
            database["OPTIONS"] = {
                "transaction_mode": "IMMEDIATE",
                "timeout": SQLITE_BUSY_SECONDS,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            }
            # Tests open it from several threads, which a database in memory does not really have.
            database["TEST"] = {"NAME": f"{database['NAME']}.test"}
        case "django.db.backends.postgresql":
            # A connection per request thread would be opened anew for each request under ASGI: the pool keeps them.
            database["CONN_MAX_AGE"] = 0
            database["OPTIONS"] = POSTGRESQL_CONNECTION | database.get("OPTIONS", {}) | {"pool": POSTGRESQL_POOL}
            # One that lay in the pool while the server restarted is found out before it is used.
            database["CONN_HEALTH_CHECKS"] = True
            # PgBouncer in transaction mode takes the server connection, and with it the cursor, away between two reads.
            database["DISABLE_SERVER_SIDE_CURSORS"] = True
        case _:
            raise ImproperlyConfigured(f"{name} must be sqlite:///path or postgres://user:password@host:port/name.")
    return database


def read_redis_url(name: str, default: str) -> str:
    url = os.environ.get(name) or default
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(f"{name} must begin with redis://, rediss:// or unix://.")
    return url


def read_site_url(name: str) -> str:
    """The site's own address, as `https://chat.example.org`; empty when it is not set."""
    text = os.environ.get(name, "")
    if not text:
        return ""
    refusal = ImproperlyConfigured(f"{name}={text!r} is not an address such as https://chat.example.org.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise refusal from None
    host = f"[{host}]" if ":" in host else host
    is_host = _is_bracketed_ipv6(host) or (HOST_NAME.fullmatch(host) and not host.startswith("."))
    has_more = "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not is_host or has_more:
        raise refusal
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def read_mail_server(name: str, site_url: str) -> dict[str, Any]:
    """`smtp://`, `smtp+starttls://` or `smtps://user:password@host:port` in parts; empty when it is not set.

    Mails have links to `site_url`, never to the host that a request names: its sender is not who gets the mail.
    """
    text = os.environ.get(name, "")
    if not text:
        return {}
    allowed = "smtp://, smtp+starttls:// or smtps://user:password@host:port"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} is not {allowed}.") from None
    # The text may hold a password: it is not shown.
    if parts.scheme not in MAIL_PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ImproperlyConfigured(f"{name} is not {allowed}.")
    if not site_url:
        raise ImproperlyConfigured(f"{name} needs HUBBUB_SITE_URL, such as https://chat.example.org: mails link to it.")
    return {
        "host": parts.hostname,
        "port": port or MAIL_PORTS[parts.scheme],
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "ssl": parts.scheme == "smtps",
        "starttls": parts.scheme == "smtp+starttls",
    }


def _is_bracketed_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return host.startswith("[") and host.endswith("]")


def parse_bool(name: str, text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ImproperlyConfigured(f"{name}={text!r} is not a switch: use true or false.")
