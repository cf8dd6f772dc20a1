"""An ASGI application for tests: the polls' topics at /ws/, and nothing else but the probes. Served as

DJANGO_SETTINGS_MODULE=tests.support.settings python -m hubbub.server … tests.support.polls_site:application
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
http = get_asgi_application()  # Sets up Django; the imports below need models.

from hubbub.asgi import refuse_unknown_path, with_bounded_requests, with_services  # noqa: E402
from tests.support.polls.consumers import PollsConsumer  # noqa: E402

sockets = [path("ws/", PollsConsumer.as_asgi()), refuse_unknown_path]
routes = ProtocolTypeRouter({"http": with_bounded_requests(http), "websocket": URLRouter(sockets)})
application = with_services(routes, services=[])
