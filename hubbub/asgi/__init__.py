"""The ASGI application of a site, and the routes of its sockets."""

from hubbub.asgi.compose import application
from hubbub.asgi.routes import socket_routes

__all__ = ["application", "socket_routes"]
