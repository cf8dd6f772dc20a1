"""How often somebody may try to sign in or up: counted in Redis, for all processes of all hosts.

Without Redis each process counts for itself: signing in works then, too.
"""

import functools
import hashlib
import logging
import os
import threading
import time
from typing import Any

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from project.accounts import conf
from realtime import site
from realtime.confusables import fold_name
from realtime.proxy import network_of, parse_address
from realtime.redis_errors import cause_of
from realtime.redis_keys import is_wrong_kind
from realtime.site_lease import on_connect_sync
from realtime.throttle import Buckets

logger = logging.getLogger(__name__)

PREFIX = "tries"
# Somebody waits for the page: a Redis that hangs must not be waited for by each in turn.
TIMEOUT_SECONDS = 0.5
AWAY_SECONDS = 5.0
# No name is longer; of what is, the rest does not matter, and normalizing it could take minutes.
NAME_CHARS = 150


def try_sign_in(name: str, address: str) -> float:
    """Count a try before its password is looked at: many at once must not all come before the first is counted.

    Returns 0.0, or the seconds to wait if there were too many: then the password must not be looked at.
    """
    tunables = conf.settings()
    # The address first: whoever may not try any more must not use up the tries of the account's owner.
    wait = _take(_source("sign-in", address), tunables.sign_in_tries_per_address)
    return wait or _take(_account(name), tunables.sign_in_tries_per_account)


def forgive_sign_in(name: str, address: str) -> None:
    """It was the right password: only failed tries count."""
    tunables = conf.settings()
    _give_back(_source("sign-in", address), tunables.sign_in_tries_per_address)
    _give_back(_account(name), tunables.sign_in_tries_per_account)


def try_sign_up(address: str) -> float:
    """Count a try to make an account; 0.0, or the seconds to wait."""
    return _take(_source("sign-up", address), conf.settings().sign_up_tries_per_address)


def _source(kind: str, address: str) -> str:
    """What tries from this address count under; empty for this host itself, which may be a proxy for everybody."""
    parsed = parse_address(address)
    if parsed is None or parsed.is_loopback:  # None: a UNIX socket.
        return ""
    return f"{kind}:{network_of(str(parsed))}"


def _account(name: str) -> str:
    # Hashed: of bounded length, and what people type into the wrong field stands nowhere.
    alike = fold_name(name[: NAME_CHARS + 1].strip())  # As the name is found: another case is no other account.
    return f"sign-in:account:{hashlib.sha256(alike.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _take(key: str, most: int) -> float:
    if not key:
        return 0.0
    seconds = conf.settings().tries_seconds
    if (counted := _count(key, 1)) is None:
        with _lock:
            return _local(most, seconds).take(key)
    count, seconds_left = counted
    return float(max(seconds_left, 1)) if count > most else 0.0


def _give_back(key: str, most: int) -> None:
    if key and _count(key, -1) is None:
        with _lock:
            _local(most, conf.settings().tries_seconds).give_back(key)


def _count(key: str, amount: int) -> tuple[int, int] | None:
    """The count of this time after adding `amount`, and the seconds until the next; None: Redis cannot be asked."""
    global _away_until
    if time.monotonic() < _away_until:
        return None
    try:
        name = site.key(f"{PREFIX}:{key}")
        # In one transaction: a count that lost its time limit would shut somebody out for ever.
        with _lock:
            # One for all threads: the cache alone lets two that are first make one each, of which one is thrown away.
            client = _redis(settings.REDIS_URL)
        count, seconds_left = _count_in(client, name, amount)
    except RedisError as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("tries to sign in are counted by this process alone for now, Redis: %s", cause_of(error))
        return None
    return count, seconds_left


def _count_in(client: Any, name: str, amount: int) -> tuple[int, int]:
    seconds = conf.settings().tries_seconds
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
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),  # A pooled connection dies with each restart of Redis.
        redis_connect_func=on_connect_sync,
    )


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
