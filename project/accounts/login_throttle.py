"""Limits attempts to sign in and to sign up, counted in Redis for all processes of all hosts.

Without Redis each process counts for itself, so sign-in still works.
"""

import functools
import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError, ResponseError

from hubbub import conf as hubbub_conf
from hubbub import site
from hubbub.limits.token_buckets import Buckets
from hubbub.process import redis_client
from hubbub.process.addresses import network_of, parse_address
from hubbub.process.redis_errors import cause_of
from hubbub.process.redis_keys import is_wrong_kind
from hubbub.site.lease import on_connect_sync
from hubbub.text.confusables import fold_name
from project.accounts import conf

logger = logging.getLogger(__name__)

PREFIX = "tries"
# A user waits for the page: after one timeout a hanging Redis is skipped for AWAY_SECONDS.
TIMEOUT_SECONDS = 0.5
AWAY_SECONDS = 5.0
# Names are not longer; the rest of a longer text is ignored, since normalizing it could take minutes.
NAME_CHARS = 150


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max_count` attempts within `seconds` under a key; an empty key is not limited."""

    key: str
    max_count: int
    seconds: int


def try_sign_in(name: str, address: str, browser: str = "") -> float:
    """Count an attempt before its password is checked, so that concurrent attempts are all counted.

    Args:
        browser: The id of a browser that signed in to this account before (see known_browsers). Attempts from elsewhere
            do not lock it out; a stolen cookie gives as many attempts as one address.

    Returns:
        0.0, or the seconds to wait after too many attempts: the password must then not be checked.
    """
    return _take_all(_sign_in_limits(name, address, browser))


def forgive_sign_in(name: str, address: str, browser: str = "") -> None:
    """Take the attempt back after the right password: only failed attempts count."""
    _give_back_all(_sign_in_limits(name, address, browser))


def try_sign_up(address: str) -> float:
    """Count an attempt to create an account. Returns 0.0 or the seconds to wait."""
    tunables = conf.settings()
    return _take_all(
        [Limit(_source("sign-up", address), tunables.sign_up_attempts_per_address, tunables.login_attempts_seconds)]
    )


def try_password(user_id: str, session_key: str) -> float:
    """Count an attempt at the current password before it is checked. Returns 0.0 or the seconds to wait.

    Also counted by session: the thief of a session cannot keep the owner from changing the password.
    """
    return _take_all(_password_limits(user_id, session_key))


def forgive_password(user_id: str, session_key: str) -> None:
    """Take the attempt back: the password was right or was not checked."""
    _give_back_all(_password_limits(user_id, session_key))


def try_reset_mail(email: str, address: str) -> float:
    """Count a requested reset mail, also for an unknown email address. Returns 0.0 or the seconds to wait."""
    tunables = conf.settings()
    seconds = tunables.reset_mails_seconds
    return _take_all(
        [
            Limit(_source("reset", address), tunables.reset_mails_per_address, seconds),
            Limit(f"reset:email:{_digest(email)}", tunables.reset_mails_per_email, seconds),
        ]
    )


def _sign_in_limits(name: str, address: str, browser: str) -> list[Limit]:
    tunables = conf.settings()
    account, seconds = _digest(name), tunables.login_attempts_seconds
    of_pair = tunables.login_attempts_per_account_and_address
    if browser:
        return [Limit(f"sign-in:account:{account}:browser:{browser}", of_pair, seconds)]
    # Behind a proxy that is not in the settings all visitors share one address.
    pair = f"sign-in:account:{account}:{_network(address) or 'here'}"
    return [
        Limit(_source("sign-in", address), tunables.login_attempts_per_address, seconds),
        Limit(pair, of_pair, seconds),
        Limit(f"sign-in:account:{account}", tunables.login_attempts_per_account, seconds),
    ]


def _password_limits(user_id: str, session_key: str) -> list[Limit]:
    tunables = conf.settings()
    account, seconds = _digest(user_id), tunables.login_attempts_seconds
    return [
        Limit(f"password:account:{account}:{_digest(session_key)}", tunables.password_attempts, seconds),
        Limit(f"password:account:{account}", tunables.login_attempts_per_account, seconds),
    ]


def _take_all(limits: list[Limit]) -> float:
    """Count the attempt under all limits, or under none if one is exhausted.

    Otherwise refused attempts would use up limits that other users share.
    """
    for number, limit in enumerate(limits):
        if wait := _take(limit):
            _give_back_all(limits[:number])
            return wait
    return 0.0


def _give_back_all(limits: list[Limit]) -> None:
    for limit in limits:
        _give_back(limit)


def _source(kind: str, address: str) -> str:
    """The key of an address; empty for this host itself, which may be a proxy for all visitors."""
    network = _network(address)
    return f"{kind}:{network}" if network else ""


def _network(address: str) -> str:
    parsed = parse_address(address)
    if parsed is None or parsed.is_loopback:  # None for a UNIX socket.
        return ""
    return network_of(str(parsed))


def _digest(name: str) -> str:
    # Hashed: bounded in length, and a password typed into the wrong field is not stored.
    alike = fold_name(
        name.strip()[: NAME_CHARS + 1].strip()
    )  # Folded as in the search for names: another case is the same account.
    return hashlib.sha256(alike.encode("utf-8", "surrogatepass")).hexdigest()


def _take(limit: Limit) -> float:
    if not limit.key:
        return 0.0
    if (counted := _count(limit, 1)) is None:
        with _lock:
            return _local(limit.max_count, limit.seconds).take(limit.key)
    count, seconds_left = counted
    return float(max(seconds_left, 1)) if count > limit.max_count else 0.0


def _give_back(limit: Limit) -> None:
    if limit.key and _count(limit, -1) is None:
        with _lock:
            _local(limit.max_count, limit.seconds).give_back(limit.key)


def _count(limit: Limit, amount: int) -> tuple[int, int] | None:
    """Add `amount`. Returns the count and the seconds to the end of its window; None if Redis is unavailable."""
    global _away_until
    if time.monotonic() < _away_until:
        return None
    try:
        name = site.key(f"{PREFIX}:{limit.key}")
        # In one transaction: a count without an expiry would lock a user out forever.
        with _lock:
            # Under the lock: two threads at once would otherwise create a client each.
            client = _redis(hubbub_conf.settings().redis_url)
        count, seconds_left = _count_in(client, name, amount, limit.seconds)
    except RedisError as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("login throttle: Redis unavailable, attempts are counted per process: %s", cause_of(error))
        return None
    return count, seconds_left


def _count_in(client: Any, name: str, amount: int, seconds: int) -> tuple[int, int]:
    for last_try in (False, True):
        with client.pipeline() as pipe:
            pipe.set(name, 0, nx=True, ex=seconds)
            pipe.incrby(name, amount)
            pipe.ttl(name)
            try:
                _, count, seconds_left = pipe.execute()
            except ResponseError as error:
                if last_try or not is_wrong_kind(error):
                    raise
            else:
                # A count without an expiry would lock a user out forever; a negative one would lift the limit.
                if (seconds_left >= 0 and count >= amount) or last_try:
                    if seconds_left > seconds:
                        # Redis' clock was set back: shorten the wait.
                        client.expire(name, seconds_left := seconds)
                    return count, seconds_left
        # The value is not a valid count: start again.
        client.delete(name)
    raise AssertionError("unreachable")


@functools.cache
def _redis(url: str) -> Any:
    return redis_client.connect_sync(url, seconds=TIMEOUT_SECONDS, retries=1, on_connect=on_connect_sync)


@functools.cache
def _local(max_count: int, seconds: int) -> Buckets:
    return Buckets(per_second=max_count / seconds, burst=max_count)


_lock = threading.Lock()  # Views run in threads: guards the buckets and the creation of the client.
_away_until = float("-inf")


def _forget_parents_lock() -> None:
    """Reset after a fork: a thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)
