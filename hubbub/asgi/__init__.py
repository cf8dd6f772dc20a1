"""The ASGI application of a site: `application`, and the layers that it is composed of."""

from hubbub.asgi.compose import application
from hubbub.asgi.request_limits import with_bounded_requests
from hubbub.asgi.routes import refuse_unknown_path, socket_routes, with_upgrade_required
from hubbub.asgi.services import with_services
from hubbub.asgi.true_client import with_true_client

__all__ = [
    "application",
    "refuse_unknown_path",
    "socket_routes",
    "with_bounded_requests",
    "with_services",
    "with_true_client",
    "with_upgrade_required",
]
