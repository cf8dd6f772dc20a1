"""Sign in and sign up."""

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from project.accounts.forms import SignInForm, SignUpForm


class SignIn(LoginView):
    authentication_form = SignInForm
    template_name = "registration/sign-in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sign_up_open=settings.SIGN_UP_OPEN, **kwargs)


@sensitive_post_parameters()
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """A new account, signed in at once; a page that says so when SIGN_UP_OPEN is off."""
    if not settings.SIGN_UP_OPEN:
        return render(request, "registration/sign-up-closed.html", status=404)
    form = SignUpForm(request.POST if request.method == "POST" else None)
    user = form.create() if form.is_valid() else None
    if user is None:
        return render(request, "registration/sign-up.html", {"form": form, "next": _next(request)})
    login(request, user)
    return redirect(_next(request) or settings.LOGIN_REDIRECT_URL)


@never_cache
def enter_admin(request: HttpRequest) -> HttpResponse:
    """Where the admin sends whoever may not see it: to sign in, or to be told so."""
    address = _next(request) or reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(address)
    if not request.user.is_staff:
        raise PermissionDenied
    return redirect(address)


def _next(request: HttpRequest) -> str:
    """Where the visitor was going; empty unless it is an address of this site."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else ""
