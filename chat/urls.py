"""Addresses of the chat pages."""

from django.urls import path

from chat.service_worker import manifest, offline, service_worker
from chat.views import lobby, manage, room

app_name = "chat"
urlpatterns = [
    path("", lobby, name="lobby"),
    path("rooms/<str:slug>/", room, name="room"),
    path("rooms/<str:slug>/manage/", manage, name="manage"),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("offline/", offline, name="offline"),
]
