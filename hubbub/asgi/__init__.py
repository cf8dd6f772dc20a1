"""Layers and routes of a site's ASGI application."""

from hubbub.asgi.request_limits import with_bounded_requests
from hubbub.asgi.routes import refuse_unknown_path, with_upgrade_required
from hubbub.asgi.services import with_services
from hubbub.asgi.true_client import with_true_client

__all__ = [
    "refuse_unknown_path",
    "with_bounded_requests",
    "with_services",
    "with_true_client",
    "with_upgrade_required",
]
