"""A sign-in of a project's own that answers as a test says, and sockets that use it."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hubbub.auth import Authenticator, own_sign_in
from tests.support.polls.walls import OfficeConsumer
from tests.support.topic_page import Page, handshaken

SCRIPTED = f"{__name__}.Scripted"
TOKENS = "tests.support.sign_ins.TokenSignIn"
SITE = "tests.support.sign_ins.SiteSignIn"
ELSEWHERE = "https://elsewhere.example.org"


class Scripted(Authenticator):
    """Answers as a test says."""

    answer: Callable[[Any], Any] = staticmethod(lambda argument: None)
    renewed: Callable[[Collection[str]], Any] = staticmethod(lambda credentials: credentials)

    def from_request(self, request: Any) -> Any:
        return self.answer(request)

    def from_token(self, token: str) -> Any:
        return self.answer(token)

    def renew(self, credentials: Collection[str]) -> Any:
        return type(self).renewed(credentials)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    own_sign_in._log_of.cache_clear()  # A failure is logged once.


@pytest.fixture
def scripted(settings: Any) -> Iterator[type[Scripted]]:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SCRIPTED}
    before = Scripted.answer, Scripted.renewed
    yield Scripted
    Scripted.answer, Scripted.renewed = before  # type: ignore[method-assign]


def answering(scripted: type[Scripted], answer: Callable[[Any], Any]) -> None:
    scripted.answer = staticmethod(answer)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "hubbub.process.log_once"]


@asynccontextmanager
async def by_token(token: str, consumer: Any = OfficeConsumer) -> AsyncIterator[Page]:
    async with handshaken(consumer, origin=ELSEWHERE) as page:
        await page.next("auth.required")
        page.put(json.dumps({"type": "auth", "token": token}))
        yield page


async def outcome(page: Page) -> Any:
    """The user id of `hello`, or the close code."""
    while True:
        frame = await page.next()
        if frame["type"] == "hello":
            return frame["user"]["id"]
        if frame["type"] == "close":
            return frame["code"]
