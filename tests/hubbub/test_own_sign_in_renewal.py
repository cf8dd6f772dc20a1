"""Sign-in of a project's own, its second half: renewal of many at once, expiry, revocation; and the setting."""

import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from hubbub.auth import Authenticator, SignIn, credentials_changed, own_sign_in
from hubbub.auth.identity import identify_own, renew
from hubbub.checks.settings import check_keys, check_names
from hubbub.protocol import Refused
from hubbub.runtime import runtime
from tests.support.polls.models import ApiToken
from tests.support.polls.walls import OfficeConsumer
from tests.support.scripted_sign_in import SITE, TOKENS, Scripted, answering, by_token, errors, outcome
from tests.support.scripted_sign_in import quiet as quiet
from tests.support.scripted_sign_in import scripted as scripted
from tests.support.sign_ins import make_jwt
from tests.support.topic_page import handshaken, in_thread

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads", "quiet"),
]


class Asynchronous(Authenticator):
    async def from_token(self, token: str) -> Any:  # type: ignore[override]
        return None


class Empty(Authenticator):
    def renew(self, credentials: Collection[str]) -> Any:
        return credentials


# The second half


def own_identities(scripted: type[Scripted], alice: Any, count: int = 3) -> list[Any]:
    answering(scripted, lambda token: SignIn(alice, credential=token))
    return [identify_own("from_token", f"t{number}", None) for number in range(count)]


def test_many_are_renewed_by_one_question(alice: Any, scripted: Any, django_assert_num_queries: Any) -> None:
    first, second, third = own_identities(scripted, alice)
    asked: list[set[str]] = []

    def answer(credentials: Collection[str]) -> Any:
        asked.append({*credentials})
        return ["t0", "t2", "of nobody"]

    scripted.renewed = answer
    with django_assert_num_queries(1):
        assert renew([first, second, third], None) == {first: first, second: None, third: third}
    assert asked == [{"t0", "t1", "t2"}]


def test_a_renewal_may_move_the_expiry(alice: Any, scripted: Any) -> None:
    first, second, third = own_identities(scripted, alice)
    later = timezone.now() + timedelta(hours=1)
    scripted.renewed = lambda _: {"t0": later, "t1": 1.0, "t2": None}
    renewed = renew([first, second, third], None)
    assert renewed[first].expires_at == later  # type: ignore[union-attr]
    assert renewed[second] is None
    assert renewed[third] == third


@pytest.mark.parametrize("answer", [lambda _: None, lambda _: "t0", lambda _: [1], lambda _: 1 / 0, lambda _: 7])
def test_a_wrong_renewal_ends_nothing_and_is_logged(
    answer: Any, alice: Any, scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    identities = own_identities(scripted, alice)
    scripted.renewed = answer
    with pytest.raises(Refused) as refused:
        renew(identities, None)
    assert refused.value.code == "unavailable"
    assert "renew: " in errors(caplog)[0]


@pytest.mark.parametrize("zone", [True, False])
def test_an_expiry_is_a_datetime_or_seconds(settings: Any, zone: bool) -> None:
    settings.USE_TZ = zone
    moment = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    for given in (moment, moment.timestamp(), moment.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)):
        assert own_sign_in.time_of(given) - datetime.now(UTC) > timedelta(0)  # type: ignore[operator]
        assert own_sign_in.time_of(given).timestamp() == moment.timestamp()  # type: ignore[union-attr]


async def test_a_jwt_ends_its_open_socket_when_it_expires(alice: Any, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SITE}
    expires_at = time.time() + 1.0
    async with by_token(make_jwt(str(alice.pk), 1.0)) as page:
        assert await outcome(page) == str(alice.pk)
        await page.ask("join", topic="office")  # Opens the hub.
        assert (await page.next("close"))["code"] == 4003
        assert 0 <= time.time() - expires_at < 1


async def test_a_revoked_token_ends_its_sockets_at_once_by_a_hint(alice: Any, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": TOKENS}
    for key in "ab":
        await in_thread(ApiToken.objects.create)(key=key, user=alice)
    async with by_token("a") as page, by_token("b") as other:
        for each in (page, other):
            assert await outcome(each) == str(alice.pk)
            assert (await each.ask("join", topic="office"))["type"] == "ok"
        await in_thread(ApiToken.objects.filter(key="a").delete)()
        # A command is refused at once, also without a hint.
        assert (await page.ask("join", topic="office"))["code"] == "unauthorized"
        await in_thread(credentials_changed)([alice])
        assert (await page.next("close"))["code"] == 4003
        assert (await other.ask("knock", topic="office"))["type"] == "ok"


async def test_a_sweep_finds_a_revoked_token_and_a_failing_renewal_delays_no_session(
    alice: Any, bob: Any, scripted: Any, settings: Any, client: Any
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REVALIDATE_SECONDS": 0.5}
    await in_thread(client.force_login)(bob)
    answering(scripted, lambda token: SignIn(alice, credential="1") if token == "x" else None)
    scripted.renewed = lambda _: 1 / 0
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    async with by_token("x") as page, handshaken(OfficeConsumer, cookie=cookie) as session:
        assert await outcome(page) == str(alice.pk)
        assert await outcome(session) == str(bob.pk)
        await session.ask("join", topic="office")  # Opens the hub.
        bob.is_active = False
        await in_thread(type(bob).objects.filter(pk=bob.pk).update)(is_active=False)  # Without a signal.
        assert (await session.next("close"))["code"] == 4003
        # The other one stays, but does nothing that needs a check.
        assert (await page.ask("join", topic="office"))["code"] == "unavailable"
        scripted.renewed = lambda credentials: credentials
        assert (await page.ask("join", topic="office"))["type"] == "ok"
        scripted.renewed = lambda credentials: []
        assert (await page.next("close"))["code"] == 4003


async def test_a_renewal_that_hangs_delays_no_hint_about_a_session(
    alice: Any, bob: Any, scripted: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    asked = threading.Event()

    def hang(credentials: Collection[str]) -> Any:
        asked.set()
        return release.wait(10) and credentials

    await in_thread(client.force_login)(bob)
    answering(scripted, lambda token: SignIn(alice, credential="1") if token == "x" else None)
    scripted.renewed = hang
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    try:
        async with by_token("x") as page, handshaken(OfficeConsumer, cookie=cookie) as session:
            assert await outcome(page) == str(alice.pk)
            assert await outcome(session) == str(bob.pk)
            await session.ask("join", topic="office")  # Opens the hub.
            runtime().revocation.check_all()
            assert await in_thread(asked.wait)(5)
            began = time.monotonic()
            await in_thread(client.logout)()
            assert (await session.next("close"))["code"] == 4003
            assert time.monotonic() - began < 2
    finally:
        release.set()


# The setting


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.Nothing", "there is no module 'nowhere'"),
        ("tests.support.sign_ins.Nothing", "has no 'Nothing'"),
        ("nothing", "the dotted path of a class is allowed"),
        (7, "the dotted path of a class is allowed"),
        ("tests.support.sign_ins.make_jwt", "no subclass of hubbub.auth.Authenticator"),
        (f"{__name__}.Asynchronous", "from_token runs in a thread"),
        (f"{__name__}.Empty", "neither from_request nor from_token"),
    ],
)
def test_a_wrong_setting_is_one_line(settings: Any, path: Any, words: str) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": path}
    with pytest.raises(ImproperlyConfigured) as caught:
        own_sign_in.authenticator()
    text = str(caught.value)
    assert text.startswith(f'HUBBUB["AUTHENTICATE"]={path!r}')
    assert words in text
    [message] = [*check_keys(), *check_names()]
    assert message.id in ("hubbub.E020", "hubbub.E021")
    assert message.msg.rstrip(".") == text.rstrip(".")
    assert "\n" not in text
