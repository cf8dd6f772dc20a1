"""Pages through `hubbub.asgi.application` leave no database connection behind, with any CONN_MAX_AGE."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path

import hubbub.asgi

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def plain(request: HttpRequest) -> HttpResponse:
    ask_database()
    return HttpResponse("done")


def failing(request: HttpRequest) -> HttpResponse:
    ask_database()
    raise ValueError("planted")


async def broken_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        await sync_to_async(ask_database)()
        yield b"begun"
        raise ValueError("planted")

    return StreamingHttpResponse(parts())


async def endless(request: HttpRequest) -> HttpResponse:
    await sync_to_async(ask_database)()
    request.scope["begun"].set()  # type: ignore[attr-defined]
    return await asyncio.Future()


def handler500(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=500)


urlpatterns = [path(view.__name__, view) for view in (plain, failing, broken_stream, endless)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The connections that are opened in the test, which is to find them all closed."""
    monkeypatch.setattr("hubbub.asgi.services.OWN_SERVICES", ())
    wrappers: list[Any] = []
    bodies: list[Any] = []
    read_body = ASGIHandler.read_body

    async def read_and_note(self: ASGIHandler, receive: Any) -> Any:
        bodies.append(await read_body(self, receive))
        return bodies[-1]

    monkeypatch.setattr(ASGIHandler, "read_body", read_and_note)

    def note(connection: Any, **_: Any) -> None:
        wrappers.append(connection)
        connection.close_at = None  # As with CONN_MAX_AGE=None, which a pool refuses.

    connection_created.connect(note)
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["localhost", "testserver"]):
        yield wrappers
    connection_created.disconnect(note)
    for body in bodies:
        body.close()  # Django leaves it open where a page fails.


async def ask(where: str, *, begun: asyncio.Event | None = None, leaves: bool = False) -> list[dict[str, Any]]:
    application = hubbub.asgi.application(get_asgi_application(), [])
    incoming: list[dict[str, Any]] = [{"type": "http.request", "body": b""}]
    sent = []

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await (begun if begun and leaves else asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": where,
        "client": ["192.0.2.1", 1],
        "query_string": b"",
        "begun": begun,
    }
    await application(scope | {"headers": [(b"host", b"localhost")]}, receive, send)
    return sent


@pytest.mark.parametrize(("where", "status"), [("/plain", 200), ("/failing", 500)])
async def test_a_page_closes_its_connections(opened: list[Any], where: str, status: int) -> None:
    assert (await ask(where))[0]["status"] == status
    assert [wrapper.connection for wrapper in opened] == [None]


async def test_a_stream_that_fails_closes_its_connections(opened: list[Any]) -> None:
    with pytest.raises(ValueError, match="planted"):
        await ask("/broken_stream")
    assert [wrapper.connection for wrapper in opened] == [None]


async def test_a_page_whose_client_leaves_closes_its_connections(opened: list[Any]) -> None:
    await ask("/endless", begun=asyncio.Event(), leaves=True)
    assert [wrapper.connection for wrapper in opened] == [None]


async def test_a_page_that_the_server_cancels_closes_its_connections(opened: list[Any]) -> None:
    begun = asyncio.Event()
    page = asyncio.create_task(ask("/endless", begun=begun))
    async with asyncio.timeout(5):
        await begun.wait()
    page.cancel()
    with pytest.raises(asyncio.CancelledError):
        await page
    assert [wrapper.connection for wrapper in opened] == [None]


def test_a_connection_of_a_test_stays_open(opened: list[Any], client: Client) -> None:
    hubbub.asgi.application(get_asgi_application(), [])
    ask_database()
    kept = connection.connection
    assert client.get("/plain").content == b"done"
    assert connection.connection is kept
