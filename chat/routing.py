"""Chat's sockets, and its service for each server process."""

from django.urls import path

from chat import background
from chat.consumers import ChatConsumer

websocket_urlpatterns = [path("ws/chat/", ChatConsumer.as_asgi(), name="chat")]
services = [background.run]
