"""Addresses of the account pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from project.accounts.views import SignIn, sign_up

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-up/", sign_up, name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
