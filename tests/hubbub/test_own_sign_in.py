"""Sign-in of a project's own, its first half: the ways in, their order, wrong answers, and the closes that follow."""

import threading
import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import ProgrammingError
from django.utils.functional import SimpleLazyObject
from django.views.debug import ExceptionReporter

from hubbub import threads
from hubbub.auth import Authenticator, SignIn
from hubbub.auth.tokens import create_token
from tests.support.polls.models import ApiToken
from tests.support.polls.walls import OfficeConsumer
from tests.support.scripted_sign_in import (
    ELSEWHERE,
    SCRIPTED,
    SITE,
    TOKENS,
    answering,
    by_token,
    errors,
    outcome,
)
from tests.support.scripted_sign_in import quiet as quiet
from tests.support.scripted_sign_in import scripted as scripted
from tests.support.sign_ins import make_jwt
from tests.support.topic_page import handshaken, in_thread

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads", "quiet"),
]


class WithoutRenew(Authenticator):
    def from_token(self, token: str) -> Any:
        return SignIn(get_user_model().objects.get(username="alice"), credential="1")


# The first half


async def test_a_token_of_a_table_signs_in_from_any_origin(alice: Any, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": TOKENS}
    await in_thread(ApiToken.objects.create)(key="k" * 40, user=alice)
    async with by_token("k" * 40) as page:
        assert await outcome(page) == str(alice.pk)
        assert (await page.ask("join", topic="office"))["state"] == "open"
    for scheme in ("Bearer", "bearer", "Token"):
        async with handshaken(OfficeConsumer, origin=None, authorization=f"{scheme} {'k' * 40}") as page:
            assert await outcome(page) == str(alice.pk)


async def test_a_wrong_token_is_refused_with_4001(scripted: Any) -> None:
    def look_up(token: Any) -> Any:
        if not isinstance(token, str):
            return None  # A handshake.
        assert token.isprintable()
        return ApiToken.objects.filter(key=token).first()

    answering(scripted, look_up)
    for token in ("k" * 40, "", "\x00", "hub_1_x", "k" * 10_000):
        async with by_token(token) as page:
            assert (await page.next("error"))["code"] == "unauthorized"
            assert await outcome(page) == 4001
    async with handshaken(OfficeConsumer, authorization="Bearer wrong") as page:
        assert await outcome(page) == 4001


async def test_built_in_sessions_and_tokens_go_on_beside(alice: Any, bob: Any, settings: Any, client: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SITE}
    _, text = await in_thread(create_token)(user=bob, name="x", expires_at=None)
    async with by_token(text) as page:
        assert await outcome(page) == str(bob.pk)
    await in_thread(client.force_login)(alice)
    # The session is asked first.
    cookie = f"sessionid={client.cookies['sessionid'].value}; jwt={make_jwt(str(bob.pk), 60)}"
    async with handshaken(OfficeConsumer, cookie=cookie) as page:
        assert await outcome(page) == str(alice.pk)
    # Before it comes a token in the header: no cookie counts then.
    async with handshaken(OfficeConsumer, cookie=cookie, authorization=f"Bearer {text}") as page:
        assert await outcome(page) == str(bob.pk)
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": ""}
    async with handshaken(OfficeConsumer, origin=None, authorization=f"Bearer {text}") as page:
        assert await outcome(page) == str(bob.pk)
    # A header that a proxy has added for others is of no use to the site.
    async with handshaken(OfficeConsumer, cookie=cookie, authorization="Bearer of-a-proxy") as page:
        assert await outcome(page) == str(alice.pk)


async def test_the_session_cookie_may_have_another_name(alice: Any, settings: Any, client: Any) -> None:
    settings.SESSION_COOKIE_NAME = "__Host-team"
    await in_thread(client.force_login)(alice)
    key = client.cookies["__Host-team"].value
    async with handshaken(OfficeConsumer, cookie=f"sessionid=x; __Host-team={key}") as page:
        assert await outcome(page) == str(alice.pk)
        assert (await page.ask("join", topic="office"))["state"] == "open"
    async with handshaken(OfficeConsumer, cookie=f"sessionid={key}") as page:
        assert (await page.next())["type"] == "auth.required"


async def test_a_jwt_in_a_cookie_counts_from_the_own_origin_alone(
    alice: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SITE}
    cookie = f"jwt={make_jwt(str(alice.pk), 60)}"
    async with handshaken(OfficeConsumer, cookie=cookie) as page:
        assert await outcome(page) == str(alice.pk)
    for origin in (ELSEWHERE, "null", None):
        async with handshaken(OfficeConsumer, cookie=cookie, origin=origin) as page:
            assert await page.next() == {"type": "close", "code": 4005}  # Before accept: HTTP 403.
        assert "origin_refused" in caplog.text
        caplog.clear()
    # Without a right to act as the user it may ask for a token.
    async with handshaken(OfficeConsumer, cookie="jwt=x.y.z", origin=ELSEWHERE) as page:
        assert (await page.next())["type"] == "auth.required"


async def test_a_cookie_with_control_characters_is_left_out(scripted: Any) -> None:
    seen: list[dict[str, str]] = []
    answering(scripted, lambda request: seen.append(request.cookies))
    async with handshaken(OfficeConsumer, cookie=r'good=x; jwt="\000"; other="a\012b"') as page:
        assert (await page.next())["type"] == "auth.required"
    assert seen == [{"good": "x"}]


async def test_a_header_that_browsers_send_by_themselves_needs_the_own_origin(alice: Any, scripted: Any) -> None:
    def by_header(request: Any) -> Any:
        assert request.headers["authorization"] == "Basic YWxpY2U6eA=="
        return SignIn(alice, expires_at=time.time() + 60)

    answering(scripted, by_header)
    for origin, expected in (("http://testserver", str(alice.pk)), (ELSEWHERE, 4005)):
        async with handshaken(OfficeConsumer, authorization="Basic YWxpY2U6eA==", origin=origin) as page:
            assert await outcome(page) == expected


async def test_the_user_of_a_middleware_and_a_session_is_accepted(alice: Any, scripted: Any, client: Any) -> None:
    await in_thread(client.force_login)(alice)
    answering(scripted, lambda request: SignIn(request.user, session_key=request.scope["key"]))
    key = client.cookies["sessionid"].value
    async with handshaken(OfficeConsumer, user=SimpleLazyObject(lambda: alice), key=key) as page:
        assert await outcome(page) == str(alice.pk)
        await page.ask("join", topic="office")  # Opens the hub.
        await in_thread(client.logout)()
        assert (await page.next("close"))["code"] == 4003


# Wrong answers


def broken_query() -> None:
    raise ProgrammingError("no such table")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (lambda _: None, 4001, ""),
        (lambda _: 7, 1011, "from_token returned int: a SignIn, ANONYMOUS or None is needed"),
        (lambda _: SignIn(AnonymousUser(), credential="1"), 1011, "SignIn.user is of type AnonymousUser"),
        (lambda _: SignIn(get_user_model()(username="new"), credential="1"), 1011, "SignIn.user is not saved"),
        (lambda _: SignIn(get_user_model().objects.get(username="alice")), 1011, "it would never end"),
        (lambda _: SignIn(get_user_model().objects.get(username="alice"), credential=7), 1011, "credential is of type"),
        (lambda _: SignIn(get_user_model().objects.get(username="alice"), expires_at="x"), 1011, "expires_at is of"),
        (
            lambda _: SignIn(get_user_model().objects.get(username="alice"), credential="1", scopes="a"),
            1011,
            "SignIn.scopes is a collection",
        ),
        (lambda _: SignIn(get_user_model().objects.get(username="alice"), expires_at=1.0), 4001, ""),
        (lambda _: 1 / 0, 1011, "ZeroDivisionError"),
        (lambda _: broken_query(), 4103, "no such table"),
    ],
)
async def test_a_wrong_answer_has_a_line_and_a_close_code(
    answer: Any, code: int, words: str, alice: Any, scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answering(scripted, answer)
    async with handshaken(OfficeConsumer, authorization="Bearer s3cret") as page:
        assert await outcome(page) == code
    lines = errors(caplog)
    assert [line for line in lines if words and words in line] == lines
    assert all(line.startswith(f"sign-in by {SCRIPTED}: from_token: ") for line in lines)
    assert len(lines) == bool(words)
    assert "s3cret" not in caplog.text
    # The handshake closes in the same way, where the sign-in cannot say who it is.
    async with handshaken(OfficeConsumer) as page:
        if code == 4001:
            assert (await page.next())["type"] == "auth.required"
        else:
            assert await outcome(page) == code


async def test_a_report_of_a_failure_shows_no_secret(
    scripted: Any, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.DEBUG = False
    secret = "s3cret" * 6
    answering(scripted, lambda token: {}[7])
    for handshake in ({"authorization": f"Bearer {secret}"}, {"cookie": f"jwt={secret}"}):
        async with handshaken(OfficeConsumer, **handshake) as page:
            assert await outcome(page) == 1011
    reports = [record.exc_info for record in caplog.records if record.exc_info]
    assert len(reports) == 2
    for report in reports:
        assert report is not None
        frames = ExceptionReporter(None, *report).get_traceback_frames()
        assert "_logged" in {frame["function"] for frame in frames}
        assert secret not in str([frame["vars"] for frame in frames])


async def test_an_inactive_user_is_not_signed_in(alice: Any, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": TOKENS}
    await in_thread(ApiToken.objects.create)(key="k", user=alice)
    alice.is_active = False
    await in_thread(alice.save)()
    async with by_token("k") as page:
        assert await outcome(page) == 4001
    assert "from_token returned an inactive user" in caplog.text


async def test_a_credential_needs_a_second_half(alice: Any, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": f"{__name__}.WithoutRenew"}
    async with by_token("x") as page:
        assert await outcome(page) == 1011
    assert "the class has no `renew`" in errors(caplog)[0]


async def test_a_slow_sign_in_ends_with_4103_and_delays_no_other(
    alice: Any, bob: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 0.3)
    release = threading.Event()
    answering(scripted, lambda _: release.wait(10) and None)
    _, text = await in_thread(create_token)(user=bob, name="x", expires_at=None)
    try:
        for _ in range(4):  # More than there are reader threads.
            async with handshaken(OfficeConsumer, origin=None, authorization="Bearer x") as page:
                assert await outcome(page) == 4103
        assert f"sign-in by {SCRIPTED}: from_token: no answer within 0.3 s" in errors(caplog)
        async with by_token_of(text) as page:
            assert await outcome(page) == str(bob.pk)
    finally:
        release.set()
    answering(scripted, lambda _: SignIn(alice, expires_at=time.time() + 60))
    for _ in range(4):  # The threads are free again.
        async with handshaken(OfficeConsumer, authorization="Bearer x") as page:
            assert await outcome(page) == str(alice.pk)


def by_token_of(text: str) -> Any:
    return handshaken(OfficeConsumer, origin=None, authorization=f"Bearer {text}")
