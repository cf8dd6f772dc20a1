"""Addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from project.accounts.account import change_password_in_admin
from project.accounts.views import enter_admin

admin.site.site_header = admin.site.site_title = "Hubbub"
admin.site.index_title = "Administration"

handler400 = "project.errors.refused"
handler500 = "project.errors.failed"

urlpatterns = [
    path("admin/login/", enter_admin),  # Before the admin's own sign-in page, which it replaces.
    path("admin/password_change/", change_password_in_admin),
    path("admin/", admin.site.urls),
    path("account/", include("project.accounts.urls")),
    path("monitor/", include("monitor.urls")),
    path("", include("chat.urls")),
]
