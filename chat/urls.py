"""Addresses of the chat pages."""

from django.urls import path

from chat.views import lobby, room

app_name = "chat"
urlpatterns = [
    path("", lobby, name="lobby"),
    path("rooms/<str:slug>/", room, name="room"),
]
