"""Password hashes, a few at once: each takes a processor for a third of a second, which sockets need as well.

A page or command that needs one waits for its turn. The algorithms are those of Django. A leaf but for `conf`.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.contrib.auth import hashers
from django.views.decorators.debug import sensitive_variables

from hubbub.process.metrics import COUNTERS
from project.accounts import conf

NICE = 5  # The event loop goes first: Linux knows a priority for each thread.


class Busy(Exception):
    """Too many wait for a hash: the page is answered with 503, and may be asked for again in RETRY_SECONDS."""

    RETRY_SECONDS = 5


class Hashes:
    """Threads that make hashes, in the order in which they were asked for."""

    def __init__(self) -> None:
        tunables = conf.settings()
        self._seconds = tunables.password_seconds
        self._most = tunables.password_hashes + tunables.password_hashes_waiting
        self._threads = ThreadPoolExecutor(tunables.password_hashes, "hashes", initializer=_give_way)
        self._asked = 0
        self._lock = threading.Lock()

    def run(self, make: Callable[[], Any]) -> Any:
        """What `make` returns, in one of the threads. Raises Busy: then it was not called, and never will be."""
        if getattr(_local, "is_ours", False):
            return make()  # Some algorithms check by hashing again.
        with self._lock:
            if self._asked >= self._most:
                COUNTERS.limited["password_hashes"] += 1
                raise Busy
            self._asked += 1
            future: Future[Any] = self._threads.submit(make)
        future.add_done_callback(self._done)
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.cancel():
                COUNTERS.limited["password_hashes"] += 1
                raise Busy from None
            return future.result()  # It has begun.

    def _done(self, _: "Future[Any]") -> None:
        with self._lock:
            self._asked -= 1


_local = threading.local()
_making = threading.Lock()
_hashes: Hashes | None = None


def _forget_parents_threads() -> None:
    """In a child, right after the fork: the threads stay with the parent."""
    global _making, _hashes
    _making, _hashes = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_parents_threads)


def in_turn(make: Callable[[], Any]) -> Any:
    """See `Hashes.run`; those of this process."""
    global _hashes
    with _making:
        if _hashes is None:
            _hashes = Hashes()
    return _hashes.run(make)


def _give_way() -> None:
    _local.is_ours = True
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _bounded(hasher: type[hashers.BasePasswordHasher]) -> type[hashers.BasePasswordHasher]:
    class Bounded(hasher):  # type: ignore[misc, valid-type]
        @sensitive_variables()
        def encode(self, *args: Any, **kwargs: Any) -> Any:
            encode = super().encode
            return in_turn(lambda: encode(*args, **kwargs))

        @sensitive_variables()
        def verify(self, *args: Any) -> Any:
            verify = super().verify
            return in_turn(lambda: verify(*args))

        @sensitive_variables()
        def harden_runtime(self, *args: Any) -> Any:
            harden_runtime = super().harden_runtime
            return in_turn(lambda: harden_runtime(*args))

    return Bounded


# Those of Django's default, in its order: users may come with hashes of another site.
PBKDF2 = _bounded(hashers.PBKDF2PasswordHasher)
PBKDF2SHA1 = _bounded(hashers.PBKDF2SHA1PasswordHasher)
Argon2 = _bounded(hashers.Argon2PasswordHasher)
BCryptSHA256 = _bounded(hashers.BCryptSHA256PasswordHasher)
Scrypt = _bounded(hashers.ScryptPasswordHasher)
