"""Password hashes in a bounded thread pool: each takes a processor for a third of a second.

Pages and commands wait for their turn. The algorithms are Django's. A leaf but for `conf`.
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

NICE = 5  # Below the event loop: Linux has priorities for threads.


class Busy(Exception):
    """Too many requests wait for a hash: the answer is 503, to be retried after RETRY_SECONDS."""

    RETRY_SECONDS = 5


class Hashes:
    """Threads that compute hashes in the order of the calls."""

    def __init__(self) -> None:
        tunables = conf.settings()
        self._seconds = tunables.password_seconds
        self._max_calls = tunables.password_hashes + tunables.password_hashes_waiting
        self._threads = ThreadPoolExecutor(tunables.password_hashes, "hashes", initializer=_init_thread)
        self._calls = 0
        self._lock = threading.Lock()

    def run(self, make: Callable[[], Any]) -> Any:
        """Run `make` in one of the threads and return its result. Raises Busy if it was not and will not be called."""
        if getattr(_local, "is_ours", False):
            return make()  # Some algorithms verify by hashing again.
        with self._lock:
            if self._calls >= self._max_calls:
                COUNTERS.limited["password_hashes"] += 1
                raise Busy
            self._calls += 1
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
            self._calls -= 1


_local = threading.local()
_making = threading.Lock()
_hashes: Hashes | None = None


def _forget_parents_threads() -> None:
    """Reset after a fork: a child does not inherit the threads."""
    global _making, _hashes
    _making, _hashes = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_parents_threads)


def in_turn(make: Callable[[], Any]) -> Any:
    """Run `make` in the hash threads of this process: see `Hashes.run`."""
    global _hashes
    with _making:
        if _hashes is None:
            _hashes = Hashes()
    return _hashes.run(make)


def _init_thread() -> None:
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


# Django's default hashers in their order: users may be imported with hashes of another site.
PBKDF2 = _bounded(hashers.PBKDF2PasswordHasher)
PBKDF2SHA1 = _bounded(hashers.PBKDF2SHA1PasswordHasher)
Argon2 = _bounded(hashers.Argon2PasswordHasher)
BCryptSHA256 = _bounded(hashers.BCryptSHA256PasswordHasher)
Scrypt = _bounded(hashers.ScryptPasswordHasher)
