"""The sockets of the same site, by ASGI, with a consumer of Channels beside."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.polls.wsgi_settings")
http = get_asgi_application()

from django.urls import path  # noqa: E402

import hubbub.asgi  # noqa: E402
from tests.support.polls.consumers import PollsConsumer  # noqa: E402
from tests.support.shouting import ShoutConsumer  # noqa: E402

routes = [path("ws/", PollsConsumer.as_asgi()), path("ws/shout/<slug:place>/", ShoutConsumer.as_asgi())]
application = hubbub.asgi.application(http, routes)
