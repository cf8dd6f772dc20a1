"""Addresses of the chat pages."""

from django.urls import path

from chat import views

urlpatterns = [
    path("", views.lobby, name="lobby"),
    path("rooms/<str:slug>/", views.room, name="room"),
]
