"""Strict readers for environment variables: a bad value stops the start, with the name and the allowed values."""

import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from hubbub.conf.engine import PREFIX_PATTERN
from hubbub.conf.values import is_proxy

SQLITE_BUSY_SECONDS = 2  # A post has a deadline of 4 s: a longer wait for the write lock would exceed it.
# A silent PostgreSQL is given up within the same deadline.
POSTGRESQL_CONNECTION = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,  # Milliseconds.
}
POSTGRESQL_POOL = {
    "min_size": 1,
    "timeout": 3,
    # Then the next request reconnects at once. Otherwise the pool doubles its pauses, up to two minutes.
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
        raise ImproperlyConfigured(f"{name}={text!r}: one of {', '.join(choices)} is allowed.")
    return text


def read_list(name: str, default: list[str]) -> list[str]:
    """Read comma-separated words; empty means none."""
    text = os.environ.get(name)
    return default if text is None else [word.strip() for word in text.split(",") if word.strip()]


def read_hosts(name: str, default: list[str]) -> list[str]:
    """Read host names for Django's ALLOWED_HOSTS; an entry that can match no host is refused."""
    hosts = read_list(name, default)
    for host in hosts:
        if not (host == "*" or HOST_NAME.fullmatch(host) or _is_bracketed_ipv6(host)):
            raise ImproperlyConfigured(
                f"{name}: {host!r} is not a host name, .domain with subdomains, IPv4 address, [IPv6 address] or *."
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
    """Read addresses and networks of proxies, and `unix`."""
    proxies = read_list(name, [])
    for proxy in proxies:
        if not is_proxy(proxy):
            raise ImproperlyConfigured(
                f"{name}: {proxy!r} is not an address, a network such as 10.0.0.0/8 (without host bits), or unix."
            )
    return proxies


def read_prefix(name: str) -> str:
    """Read the prefix of names in Redis; empty if it is not set."""
    text = os.environ.get(name, "")
    if not re.fullmatch(PREFIX_PATTERN, text):
        raise ImproperlyConfigured(f"{name}={text!r} is invalid: use 1 to 40 letters, digits or hyphens.")
    return text


def read_secret_key(path: Path) -> str:
    """Read `SECRET_KEY`, or else the key in the file `path`, which the first start creates for its owner only."""
    if key := os.environ.get("SECRET_KEY"):
        return key
    if "SECRET_KEY" in os.environ:
        raise ImproperlyConfigured("SECRET_KEY is empty: set a long random string, or unset it.")
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A draft is linked into place, so that two processes that start at once read the same complete key.
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
    """Read former values of `SECRET_KEY`, separated by commas: their signatures are accepted, but not made any more."""
    text = os.environ.get(name, "")
    keys = [key.strip() for key in text.split(",")] if text.strip() else []
    if "" in keys:
        raise ImproperlyConfigured(f"{name} has an empty key: set former values of SECRET_KEY, separated by commas.")
    return keys


def read_database(name: str, default_file: Path, *, connections: int) -> dict[str, Any]:
    """Read Django's database configuration from a URL, with at most `connections` of a process on PostgreSQL.

    `sqlite:///path` or `postgres://user:password@host:port/name`. Errors do not show the URL: it may have a password.
    """
    url = os.environ.get(name) or f"sqlite:///{default_file}"
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(url))
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        database = {}
    match database.get("ENGINE"):
        case "django.db.backends.sqlite3":
            # Several processes write. WAL does not block readers; IMMEDIATE takes the write lock at the start of a
            # transaction, where SQLite waits for it; later in the transaction it would fail.
            database["OPTIONS"] = {
                "transaction_mode": "IMMEDIATE",
                "timeout": SQLITE_BUSY_SECONDS,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            }
            # Tests use it from several threads, which an in-memory database does not support.
            database["TEST"] = {"NAME": f"{database['NAME']}.test"}
        case "django.db.backends.postgresql":
            # Under ASGI each request has a new thread, which would open a new connection: the pool reuses them.
            database["CONN_MAX_AGE"] = 0
            database["OPTIONS"] = (
                POSTGRESQL_CONNECTION
                | {"application_name": _application_name()}
                | database.get("OPTIONS", {})
                | {"pool": POSTGRESQL_POOL | {"max_size": connections}}
            )
            # Detects pooled connections that ended while the server restarted.
            database["CONN_HEALTH_CHECKS"] = True
            # PgBouncer in transaction mode may switch the server connection, and lose the cursor, between two reads.
            database["DISABLE_SERVER_SIDE_CURSORS"] = True
        case _:
            raise ImproperlyConfigured(f"{name} must be sqlite:///path or postgres://user:password@host:port/name.")
    return database


def _application_name() -> str:
    """Host and process, for pg_stat_activity and the log of PostgreSQL, which cuts it at 63 bytes."""
    host = os.environ.get("HUBBUB_HOST_NAME") or socket.gethostname()
    return f"hubbub {host}/{os.environ.get('HUBBUB_PROCESS') or os.getpid()}"


def read_redis_url(name: str, default: str) -> str:
    url = os.environ.get(name) or default
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://.")
    return url


def read_site_url(name: str) -> str:
    """Read the address of the site, such as `https://chat.example.org`; empty if it is not set."""
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
    """Read the mail server from `smtp://`, `smtp+starttls://` or `smtps://user:password@host:port`.

    Mails link to `site_url`, never to the host of a request: an attacker could send the request.

    Returns:
        The parts of the URL; empty if it is not set.
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
    # The value may contain a password, so errors do not show it.
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
    raise ImproperlyConfigured(f"{name}={text!r}: true or false is allowed.")


def gettext_noop(text: str) -> str:
    """Mark a text for translation. Django's own reads the settings, which are being made: half of them would stay."""
    return text
