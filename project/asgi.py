"""The ASGI application: pages by Django, sockets by their routes."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()  # Sets up Django; the imports below need models.

import chat.routing  # noqa: E402
import hubbub.asgi  # noqa: E402
import monitor.routing  # noqa: E402
from chat.topics import LobbyTopic, PersonTopic, RoomsTopic, RoomTopic  # noqa: E402
from monitor.topics import MetricsTopic  # noqa: E402
from project.accounts.expired_sessions import clear_expired_sessions  # noqa: E402
from project.preload import read_pages  # noqa: E402

application = hubbub.asgi.application(
    http,
    [*chat.routing.websocket_urlpatterns, *monitor.routing.websocket_urlpatterns],
    topics=[RoomTopic, RoomsTopic, PersonTopic, LobbyTopic, MetricsTopic],
    services=[*chat.routing.services, *monitor.routing.services, clear_expired_sessions],
)
read_pages()
