"""`hubbub.asgi.application`: the arguments that it refuses, the routes that it remembers, and a page through it."""

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import include, path, re_path

import hubbub.asgi
from hubbub import Topic, live
from hubbub.process import route_names as routes_module
from hubbub.process.route_names import socket_routes
from hubbub.topics import BadDeclaration
from tests.support.declarations import declare
from tests.support.polls.topics import PollTopic


class EchoConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    pass


async def pages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr((scope["client"], scope["headers"])).encode()})


async def service() -> None:
    await asyncio.Event().wait()


POLLS = live(PollTopic).as_asgi()
ECHO = EchoConsumer.as_asgi()


@pytest.fixture(autouse=True)
def no_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_named", None)


@pytest.mark.parametrize(
    ("http", "routes", "services", "line"),
    [
        (None, [], (), r"http=None is no application: pass the result of django\.core\.asgi\.get_asgi_application\(\)"),
        (EchoConsumer, [], (), r"http=<class .*EchoConsumer'> is no application"),
        (pages, None, (), r"routes=None is no list: write \[path\("),
        (pages, path("ws/polls/", POLLS), (), r"routes=<URLPattern .* is no list"),
        (pages, [POLLS], (), r"routes\[0\]=.* has no path: write path\("),
        (pages, [("ws/polls/", POLLS)], (), r"routes\[0\]=\('ws/polls/', .* has no path"),
        (pages, [path("ws/", include([path("polls/", POLLS)]))], (), r"routes\[0\]='ws/' is an include\(\)"),
        (pages, [path("/ws/polls/", POLLS)], (), r"the path '/ws/polls/' is never reached: write it without"),
        (pages, [re_path("^/ws/polls/$", POLLS)], (), r"the path '\^/ws/polls/\$' is never reached"),
        (pages, [path("ws/echo/", EchoConsumer)], (), r"to the class EchoConsumer: write EchoConsumer\.as_asgi\(\)"),
        (pages, [path("ws/", POLLS), path("ws/", ECHO)], (), r"two have the path 'ws/', and only the first"),
        (
            pages,
            [path("ws/a/", POLLS, name="live"), path("ws/b/", ECHO, name="live")],
            (),
            r"'ws/a/' and 'ws/b/' have the name 'live': each has its own",
        ),
        (pages, [], service, r"services=<function service .* is no list of coroutine functions"),
        (pages, [], [print], r"services: <built-in function print> is none: a service is a coroutine function"),
    ],
)
def test_an_argument_that_cannot_work_is_refused_in_one_line(http: Any, routes: Any, services: Any, line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"\Ahubbub\.asgi\.application: .*{line}.*\.\Z") as refused:
        hubbub.asgi.application(http, routes, services=services)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("where", ["/live/", "live", "", None, 1])
def test_a_path_of_doors_that_is_never_reached_is_refused(where: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"application: path=.*: write 'live/', without a leading slash"):
        hubbub.asgi.application(pages, [], topics=[PollTopic], path=where)


@pytest.mark.usefixtures("declared")
def test_two_topics_of_one_name_on_an_endpoint_are_refused() -> None:
    """Their declaration is refused already; a reload in development makes another class of the same name."""
    with pytest.raises(BadDeclaration, match=r"two topics have the name 'soup': \S*ThingTopic and \S*ThingTopic"):
        live(declare("soup"), declare("soup"))


class BaseTopic(Topic, abstract=True):
    pass


@pytest.mark.parametrize("topic", [None, "poll", EchoConsumer, BaseTopic])
def test_a_class_that_is_no_topic_is_refused_on_an_endpoint(topic: Any) -> None:
    with pytest.raises(BadDeclaration, match=r"LiveConsumer: topics=.*: subclasses of Topic are allowed"):
        live(topic)


# Names


def test_routes_are_found_by_name() -> None:
    hubbub.asgi.application(pages, [path("ws/polls/", POLLS, name="polls"), path("ws/echo/", ECHO)])
    assert {name: str(route.pattern) for name, route in socket_routes().items()} == {"polls": "ws/polls/"}


def test_the_application_of_the_settings_is_loaded_for_its_routes() -> None:
    module = ModuleType("routes_of_a_site")
    sys.modules[module.__name__] = module
    try:
        with override_settings(ASGI_APPLICATION="routes_of_a_site.application"):
            with pytest.raises(ImproperlyConfigured, match=r"the module 'routes_of_a_site' has no 'application'\.\Z"):
                socket_routes()
            module.application = pages  # type: ignore[attr-defined]
            assert socket_routes() == {}
    finally:
        del sys.modules[module.__name__]


@override_settings(ASGI_APPLICATION=None)
def test_without_an_application_one_line_names_the_setting() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\AASGI_APPLICATION is not set, and it has the routes: .*\.\Z"):
        socket_routes()


# A request


async def ask(application: Any, where: str) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": where, "client": ["192.0.2.1", 1]}
    await application(scope | {"headers": [(b"x-forwarded-for", b"198.51.100.7")]}, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(("proxies", "client"), [(["192.0.2.1"], b"198.51.100.7"), ([], b"192.0.2.1")])
async def test_a_page_gets_the_client_behind_the_proxies_of_the_settings(
    proxies: list[str], client: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.asgi.services.OWN_SERVICES", ())
    with override_settings(HUBBUB=settings.HUBBUB | {"TRUSTED_PROXIES": proxies}):
        application = hubbub.asgi.application(pages, [path("ws/polls/", POLLS)])
    status, body = await ask(application, "/")
    assert status == 200
    assert client in body
    assert (await ask(application, "/ws/polls/"))[0] == 426


async def test_a_service_runs_from_the_first_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.asgi.services.OWN_SERVICES", ())
    started = asyncio.Event()

    async def note() -> None:
        started.set()

    await ask(hubbub.asgi.application(pages, [], services=[note]), "/")
    async with asyncio.timeout(5):
        await started.wait()
