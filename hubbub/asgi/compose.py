"""The whole ASGI application of a site: pages by Django, sockets by their routes, and the engine around both."""

from collections.abc import Sequence
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter

from hubbub.asgi.doors import with_doors
from hubbub.asgi.page_connections import with_closed_connections
from hubbub.asgi.request_limits import with_bounded_requests
from hubbub.asgi.routes import check_routes, refuse_unknown_path, with_upgrade_required
from hubbub.asgi.services import Application, Service, check_services, with_services
from hubbub.asgi.true_client import with_true_client
from hubbub.checks import require_settings
from hubbub.process.route_names import remember


def application(
    http: Application,
    routes: Sequence[Any],
    *,
    services: Sequence[Service] = (),
    topics: Sequence[Any] = (),
    path: str = "live/",
) -> Application:
    """Compose the ASGI application of a site.

        application = hubbub.asgi.application(http, [path("ws/polls/", live(PollTopic).as_asgi(), name="polls")])

    It limits concurrent page requests, finds the true client behind trusted proxies, answers probes, refuses sockets on
    unknown paths with 404, and runs the services of the process.

    Args:
        http: the application for pages, from `django.core.asgi.get_asgi_application()`.
        routes: of the sockets: `django.urls.path` or `re_path` to a consumer of Hubbub or of Channels, which may be
            wrapped in a middleware such as `AuthMiddlewareStack`. The template tag `socket_path` finds them by `name`.
        services: coroutine functions that run in each server process beside its sockets. One that raises is logged and
            started again after a second.
        topics: classes of topics that are also served by HTTP and server-sent events, for clients without WebSockets.
        path: of their addresses `state`, `events` and `command`.

    Returns:
        The application for the server, as `ASGI_APPLICATION`.

    Raises:
        ImproperlyConfigured: an argument cannot work. The text names it, its value, and what is allowed.
    """
    routes = check_routes(http, routes)
    check_services(services)
    pages = with_upgrade_required(with_bounded_requests(with_closed_connections(http)), routes)
    pages = with_doors(pages, topics, path)
    both = ProtocolTypeRouter({"http": pages, "websocket": URLRouter([*routes, refuse_unknown_path])})
    composed = with_services(with_true_client(both, require_settings().trusted_proxies), services=services)
    remember(routes, path if topics else "")
    return composed
