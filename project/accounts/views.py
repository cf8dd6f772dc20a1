"""Sign in and sign up."""

import math
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from project.accounts import tries
from project.accounts.forms import SignInForm, SignUpForm
from project.accounts.hashing import Busy
from project.accounts.models import User
from realtime.security import Kind, log_event


class SignIn(LoginView):
    authentication_form = SignInForm
    template_name = "registration/sign-in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sign_up_open=settings.SIGN_UP_OPEN, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = request.POST.get("username", "")
        if wait := tries.try_sign_in(name, _address(request)):
            log_event(Kind.SIGN_IN_LIMITED, address=_address(request), user=_account(name))
            return _too_many_tries(request, wait)
        try:
            return super().post(request, *args, **kwargs)
        except Busy:
            # Nothing was found out.
            tries.forgive_sign_in(name, _address(request))
            raise

    def form_valid(self, form: Any) -> HttpResponse:
        tries.forgive_sign_in(form.data.get("username", ""), _address(self.request))
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        if form.has_error(NON_FIELD_ERRORS, "invalid_login"):
            name = form.data.get("username", "")
            log_event(Kind.SIGN_IN_FAILED, address=_address(self.request), user=_account(name))
        return super().form_invalid(form)


@sensitive_post_parameters()
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """A new account, signed in at once; a page that says so when SIGN_UP_OPEN is off."""
    if not settings.SIGN_UP_OPEN:
        return render(request, "registration/sign-up-closed.html", status=404)
    if request.method == "POST" and (wait := tries.try_sign_up(_address(request))):
        log_event(Kind.SIGN_UP_LIMITED, address=_address(request))
        return _too_many_tries(request, wait)
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


def _too_many_tries(request: HttpRequest, wait_seconds: float) -> HttpResponse:
    """The same for a name that exists and one that does not."""
    minutes = math.ceil(wait_seconds / 60)
    response = render(request, "registration/too-many-tries.html", {"minutes": minutes}, status=429)
    response.headers["Retry-After"] = str(math.ceil(wait_seconds))
    return response


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def _account(name: str) -> int | None:
    """For the log: which account was tried. Not the text itself, which may be a password in the wrong field."""
    try:
        found: int = User.objects.get_by_natural_key(name.replace("\x00", "")).pk
    except User.DoesNotExist:
        return None
    return found


def _next(request: HttpRequest) -> str:
    """Where the visitor was going; empty unless it is an address of this site."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else ""
