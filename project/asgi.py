"""The ASGI application: pages by Django, sockets by Channels."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()  # Sets up Django; the imports below need models.

import chat.routing  # noqa: E402
import monitor.routing  # noqa: E402
from hubbub.asgi import (  # noqa: E402
    refuse_unknown_path,
    with_bounded_requests,
    with_services,
    with_true_client,
    with_upgrade_required,
)
from hubbub.checks import require_settings  # noqa: E402
from project.accounts.expired_sessions import clear_expired_sessions  # noqa: E402
from project.preload import read_pages  # noqa: E402

sockets = [*chat.routing.websocket_urlpatterns, *monitor.routing.websocket_urlpatterns]
routes = ProtocolTypeRouter(
    {
        "http": with_upgrade_required(with_bounded_requests(http), sockets),
        "websocket": URLRouter([*sockets, refuse_unknown_path]),
    }
)
services = [*monitor.routing.services, clear_expired_sessions]
application = with_services(with_true_client(routes, require_settings().trusted_proxies), services=services)
read_pages()
