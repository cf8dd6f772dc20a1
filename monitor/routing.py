"""The monitor's WebSocket route and its service for each server process."""

from django.urls import path

from monitor import reporter
from monitor.consumers import MonitorConsumer

websocket_urlpatterns = [path("ws/monitor/", MonitorConsumer.as_asgi(), name="monitor")]
services = [reporter.run]
