"""The settings of a site with polls whose pages come by WSGI and whose sockets by ASGI."""

from tests.support.settings import *  # noqa: F403

ROOT_URLCONF = "tests.support.polls.wsgi_views"
WSGI_APPLICATION = "tests.support.polls.pages_wsgi.application"
ASGI_APPLICATION = "tests.support.polls.sockets_asgi.application"
