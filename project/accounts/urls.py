"""Addresses of the account pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from project.accounts.views import SignIn, SignUp

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-up/", SignUp.as_view(), name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
