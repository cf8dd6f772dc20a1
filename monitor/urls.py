"""URLs of the monitor."""

from django.urls import path

from monitor import views

urlpatterns = [path("", views.dashboard, name="dashboard")]
