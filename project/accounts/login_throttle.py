"""How often somebody may try to sign in or up: counted in Redis, for all processes of all hosts.

Without Redis each process counts for itself: signing in works then, too.
"""

import functools
import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError, ResponseError

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
# Somebody waits for the page: a Redis that hangs must not be waited for by each in turn.
TIMEOUT_SECONDS = 0.5
AWAY_SECONDS = 5.0
# No name is longer; of what is, the rest does not matter, and normalizing it could take minutes.
NAME_CHARS = 150


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many within some seconds, under a key; an empty key is not counted."""

    key: str
    most: int
    seconds: int


def try_sign_in(name: str, address: str, browser: str = "") -> float:
    """Count a try before its password is looked at: many at once must not all come before the first is counted.

    `browser`: the id of one that has signed in to this account before (see known_browsers). Strangers neither use up
    its tries nor keep it out; with a stolen cookie there are as many tries as from one address.

    Returns 0.0, or the seconds to wait if there were too many: then the password must not be looked at.
    """
    return _take_all(_sign_in_limits(name, address, browser))


def forgive_sign_in(name: str, address: str, browser: str = "") -> None:
    """It was the right password: only failed tries count."""
    _give_back_all(_sign_in_limits(name, address, browser))


def try_sign_up(address: str) -> float:
    """Count a try to make an account; 0.0, or the seconds to wait."""
    tunables = conf.settings()
    return _take_all(
        [Limit(_source("sign-up", address), tunables.sign_up_attempts_per_address, tunables.login_attempts_seconds)]
    )


def try_password(user_id: str, session_key: str) -> float:
    """Count the present password that somebody signed in gives, before it is looked at; 0.0, or the seconds to wait.

    By session as well: the thief of one does not keep the account's owner from changing the password.
    """
    return _take_all(_password_limits(user_id, session_key))


def forgive_password(user_id: str, session_key: str) -> None:
    """It was right, or nothing was found out."""
    _give_back_all(_password_limits(user_id, session_key))


def try_reset_mail(email: str, address: str) -> float:
    """Count a mail that is asked for, whether or not anybody has this email address; 0.0, or the seconds to wait."""
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
    # Behind a proxy that settings do not name, all visitors share this one.
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
    """Take one of each; of none, when one of them has none left: a refused try counts nowhere.

    Otherwise tries past one limit would use up the next, which others share.
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
    """What tries from this address count under; empty for this host itself, which may be a proxy for everybody."""
    network = _network(address)
    return f"{kind}:{network}" if network else ""


def _network(address: str) -> str:
    parsed = parse_address(address)
    if parsed is None or parsed.is_loopback:  # None: a UNIX socket.
        return ""
    return network_of(str(parsed))


def _digest(name: str) -> str:
    # Hashed: of bounded length, and what people type into the wrong field stands nowhere.
    alike = fold_name(name.strip()[: NAME_CHARS + 1].strip())  # As the name is found: another case is no other account.
    return hashlib.sha256(alike.encode("utf-8", "surrogatepass")).hexdigest()


def _take(limit: Limit) -> float:
    if not limit.key:
        return 0.0
    if (counted := _count(limit, 1)) is None:
        with _lock:
            return _local(limit.most, limit.seconds).take(limit.key)
    count, seconds_left = counted
    return float(max(seconds_left, 1)) if count > limit.most else 0.0


def _give_back(limit: Limit) -> None:
    if limit.key and _count(limit, -1) is None:
        with _lock:
            _local(limit.most, limit.seconds).give_back(limit.key)


def _count(limit: Limit, amount: int) -> tuple[int, int] | None:
    """The count of this time after adding `amount`, and the seconds until the next; None: Redis cannot be asked."""
    global _away_until
    if time.monotonic() < _away_until:
        return None
    try:
        name = site.key(f"{PREFIX}:{limit.key}")
        # In one transaction: a count that lost its time limit would shut somebody out for ever.
        with _lock:
            # One for all threads: the cache alone lets two that are first make one each, of which one is thrown away.
            client = _redis(settings.REDIS_URL)
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
                # One that never ends would shut somebody out for ever, and one below nothing let everybody in.
                if (seconds_left >= 0 and count >= amount) or last_try:
                    if seconds_left > seconds:
                        # Redis' clock was set back: nobody is to wait until it is right again.
                        client.expire(name, seconds_left := seconds)
                    return count, seconds_left
        # It is not ours: counting begins anew.
        client.delete(name)
    raise AssertionError("unreachable")


@functools.cache
def _redis(url: str) -> Any:
    return redis_client.connect_sync(url, seconds=TIMEOUT_SECONDS, retries=1, on_connect=on_connect_sync)


@functools.cache
def _local(most: int, seconds: int) -> Buckets:
    return Buckets(per_second=most / seconds, burst=most)


_lock = threading.Lock()  # Views run in threads; buckets, and the making of the client, are for one at a time.
_away_until = float("-inf")


def _forget_parents_lock() -> None:
    """In a child, right after the fork: a thread of the parent may have held it, and does not come along."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)
