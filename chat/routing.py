"""Chat's sockets, and its service for each server process."""

from django.urls import path

from chat import background
from chat.consumers import ChatConsumer
from chat.erasing import forget_erased_texts

websocket_urlpatterns = [path("ws/chat/", ChatConsumer.as_asgi(), name="chat")]
services = [background.run, forget_erased_texts]
