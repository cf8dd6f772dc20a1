"""Addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("account/", include("project.accounts.urls")),
    path("monitor/", include("monitor.urls")),
    path("", include("realtime.urls")),
    path("", include("chat.urls")),
]
