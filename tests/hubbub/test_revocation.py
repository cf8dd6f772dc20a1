"""Re-checks of access: users, times, and the end of revoked sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hubbub import threads
from hubbub.auth import revalidator, sessions
from hubbub.auth.identity import Identity, identify_session, identify_token, renew
from hubbub.auth.revalidator import Revalidator
from hubbub.auth.revocation import SocketRevoker
from hubbub.auth.tokens import create_token
from hubbub.protocol import read_frame
from hubbub.threads import refused_unavailable

pytestmark = pytest.mark.database


class Due:
    """A `check` that records its arguments, and fails a given number of times."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: list[set[int] | None] = []
        self.failures = failures
        self.called = asyncio.Event()

    async def check(self, keys: set[int] | None) -> None:
        self.calls.append(keys)
        self.called.set()
        if self.failures:
            self.failures -= 1
            raise refused_unavailable()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.called.clear()
                await self.called.wait()


@asynccontextmanager
async def running(recheck: Revalidator[int]) -> AsyncIterator[None]:
    task = asyncio.create_task(recheck.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_concurrent_checks_are_one_check() -> None:
    due = Due()
    recheck: Revalidator[int] = Revalidator(due.check)
    async with running(recheck):
        recheck.request([1, 2])
        recheck.request([2, 3])
        await due.until(lambda: due.calls == [{1, 2, 3}])


async def test_due_users_stay_due_until_the_database_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revalidator, "RETRY_SECONDS", 0.01)
    due = Due(failures=3)
    recheck: Revalidator[int] = Revalidator(due.check)
    async with running(recheck):
        recheck.request([7])
        await due.until(lambda: due.calls == [{7}] * 4)
        recheck.request(None)
        await due.until(lambda: due.calls[-1] is None)


@pytest.mark.slow
async def test_all_sockets_are_due_at_each_sweep(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REVALIDATE_SECONDS": 0.5}
    due = Due()
    async with running(Revalidator(due.check)):
        await due.until(lambda: due.calls == [None, None])


@pytest.mark.slow
async def test_hints_without_end_do_not_put_off_the_sweep(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REVALIDATE_SECONDS": 0.5}
    due = Due()

    async def check(keys: set[int] | None) -> None:
        await due.check(keys)
        recheck.request([7])  # The next has come while this one was looked at.
        await asyncio.sleep(0.01)

    recheck: Revalidator[int] = Revalidator(check)
    async with running(recheck):
        recheck.request([7])
        await due.until(lambda: due.calls.count(None) == 2)


class Closed:
    is_closing = False

    def __init__(self) -> None:
        self.closes: list[tuple[int, str]] = []

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))


class One:
    """A socket as far as it is looked after."""

    permission = None
    endpoint_scopes: frozenset[str] = frozenset()
    connection = "web-1:1"
    scope: dict[str, Any] = {}

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.outbox: Any = Closed()


async def test_a_change_while_somebody_comes_in_is_not_missed() -> None:
    sockets = SocketRevoker()
    asked = sockets.recheck.requests
    # Between the reading of the session and the place among those who are in: nobody is found to look at.
    sockets.recheck.request([7])
    sockets.recheck._due.clear()
    sockets.add(One(Identity(7, "alice", True)), asked)
    assert sockets.recheck._due == {7}
    sockets.recheck._due.clear()
    sockets.add(One(Identity(8, "bob", True)), sockets.recheck.requests)
    assert sockets.recheck._due == set()


async def test_removed_sockets_are_not_kept() -> None:
    sockets = SocketRevoker()
    first, second = (One(Identity(7, "alice", True)) for _ in range(2))
    for socket in (first, second):
        sockets.add(socket, 0)
    for socket in (first, second, second):
        sockets.remove(socket)
    assert sockets._by_user == {}


class Hearing(Closed):
    def __init__(self) -> None:
        super().__init__()
        self.is_closing, self.frames = False, list[str]()

    def put(self, text: str) -> None:
        self.frames.append(text)


async def in_place(ask: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(ask)(*arguments)


def test_a_bulk_update_of_names_is_found_by_the_sweep(
    alice: Any, monkeypatch: pytest.MonkeyPatch, session: Any
) -> None:
    monkeypatch.setattr(threads, "read", in_place)
    renamed: list[tuple[str, str]] = []
    sockets = SocketRevoker(lambda *who: renamed.append(who))
    identity = identify_session(session().session_key, None)
    assert identity is not None
    socket = One(identity)
    socket.outbox = Hearing()

    async def sweep() -> None:
        await sockets._check(None)

    sockets._by_user = {identity.user_id: [socket]}
    async_to_sync(sweep)()
    assert (renamed, socket.outbox.frames) == ([], [])
    type(alice).objects.filter(pk=alice.pk).update(username="carol")
    async_to_sync(sweep)()
    assert (renamed, socket.identity.name) == ([(str(alice.pk), "carol")], "carol")
    assert [read_frame(text) for text in socket.outbox.frames] == [
        {"type": "person.changed", "user": {"id": str(alice.pk), "name": "carol"}}
    ]
    async_to_sync(sweep)()
    assert len(renamed) == 1


# Answers of the database


@pytest.fixture
def session(db: None, alice: AbstractUser, settings: Any) -> Callable[..., Any]:
    """Makes a session of Alice's by an engine."""

    def make(engine: str = "django.contrib.sessions.backends.db") -> Any:
        settings.SESSION_ENGINE = engine
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        store = sessions.store()()
        store[SESSION_KEY] = str(alice.pk)
        store[BACKEND_SESSION_KEY] = django_settings.AUTHENTICATION_BACKENDS[0]
        store[HASH_SESSION_KEY] = alice.get_session_auth_hash()
        store.save()
        return store

    return make


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache"])
def test_an_ended_session_is_refused_by_every_session_engine(session: Any, engine: str) -> None:
    stored = session(f"django.contrib.sessions.backends.{engine}")
    identity = identify_session(stored.session_key, None)
    assert identity is not None
    assert renew([identity], None) == {identity: identity}
    if engine == "cached_db":
        # Gone from the database, and still in the cache of some process.
        sessions.model().objects.all().delete()
    else:
        stored.delete()
    assert renew([identity], None) == {identity: None}


def test_a_changed_session_still_admits_its_user(session: Any) -> None:
    stored = session()
    identity = identify_session(stored.session_key, None)
    stored["basket"] = [1, 2]
    stored.set_expiry(60)
    stored.save()
    assert identity is not None
    now = renew([identity], None)[identity]
    assert now is not None
    assert now.proof != identity.proof
    assert now.expires_at is not None
    assert now.expires_at < timezone.now() + timedelta(seconds=61)


def test_a_session_that_is_another_user_s_now_ends_the_socket(session: Any, bob: AbstractUser) -> None:
    stored = session()
    identity = identify_session(stored.session_key, None)
    assert identity is not None
    stored[SESSION_KEY] = str(bob.pk)
    stored[HASH_SESSION_KEY] = bob.get_session_auth_hash()
    stored.save()
    assert renew([identity], None) == {identity: None}


def test_many_are_looked_at_by_a_few_queries(session: Any, alice: AbstractUser, bob: AbstractUser) -> None:
    identities = [identify_session(session().session_key, None) for _ in range(20)]
    for user in (alice, bob):
        _, text = create_token(user=user, name="test", expires_at=None)
        identities.append(identify_token(text, None))
    assert None not in identities
    with CaptureQueriesContext(
        connection,
    ) as asked:
        renewed = renew([identity for identity in identities if identity], None)
    assert set(renewed.values()) == set(identities)
    assert len(asked) == 3
