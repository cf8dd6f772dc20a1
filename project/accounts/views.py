"""The pages to sign in and to sign up."""

import math
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from hubbub import users
from hubbub.process.security_log import Kind, log_event
from project.accounts import choices, ended, known_browsers, login_throttle
from project.accounts.browsers import address_of
from project.accounts.forms import SignInForm, SignUpForm
from project.accounts.hashing import Busy
from project.accounts.models import User


class SignIn(LoginView):
    authentication_form = SignInForm
    template_name = "registration/sign-in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.request.method == "GET" and (words := ended.notice_for(self.request)):
            kwargs["notice"] = words
        return super().get_context_data(**sign_in_context(), **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.account = find_account(request.POST.get("username", ""))
        limits = self._limits()
        if wait := login_throttle.try_sign_in(*limits):
            self._log(Kind.SIGN_IN_LIMITED)
            return too_many_attempts(request, wait)
        try:
            return super().post(request, *args, **kwargs)
        except Busy:
            # The password was not checked.
            login_throttle.forgive_sign_in(*limits)
            raise

    def form_valid(self, form: Any) -> HttpResponse:
        login_throttle.forgive_sign_in(*self._limits())
        response = super().form_valid(form)
        known_browsers.remember(self.request, response, form.get_user())
        choices.remember_choices(response, form.get_user())
        ended.delete_reason(self.request, response)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        if form.has_error(NON_FIELD_ERRORS, "invalid_login"):
            self._log(Kind.SIGN_IN_FAILED)
        return super().form_invalid(form)

    def _limits(self) -> tuple[str, str, str]:
        # By the name of the found account, so that other spellings give no further attempts.
        name = self.account.get_username() if self.account else self.request.POST.get("username", "")
        return name, address_of(self.request), known_browsers.known_browser(self.request, self.account)

    def _log(self, kind: Kind) -> None:
        # The account's id, not the typed text, which may be a password in the wrong field.
        log_event(kind, address=address_of(self.request), user=self.account.pk if self.account else None)


def sign_in_context() -> dict[str, Any]:
    """The context of the sign-in page without its form."""
    return {"sign_up_open": settings.SIGN_UP_OPEN, "resets_by_email": settings.EMAIL_HOST_IS_SET}


def find_account(name: str) -> Any:
    """The account that the sign-in finds by this name, active or not; None if there is none."""
    name = name.strip()
    if len(name) > login_throttle.NAME_CHARS or "\x00" in name:
        return None
    try:
        return users.find_by_name(User.normalize_username(name))
    except User.DoesNotExist:
        return None


@sensitive_post_parameters()
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """Create an account and sign it in. With SIGN_UP_OPEN off, the page of closed sign-up is shown."""
    if not settings.SIGN_UP_OPEN:
        return render(request, "registration/sign-up-closed.html", status=404)
    if request.method == "POST" and (wait := login_throttle.try_sign_up(address_of(request))):
        log_event(Kind.SIGN_UP_LIMITED, address=address_of(request))
        return too_many_attempts(request, wait)
    form = SignUpForm(request.POST if request.method == "POST" else None)
    form.instance.language = choices.chosen_by_visitor(request)
    user = form.create() if form.is_valid() else None
    if user is None:
        return render(request, "registration/sign-up.html", {"form": form, "next": next_address(request)})
    login(request, user)
    response = redirect_to(next_address(request))
    choices.remember_choices(response, user)
    known_browsers.remember(request, response, user)
    ended.delete_reason(request, response)
    return response


@never_cache
@require_safe
def choose_language(request: HttpRequest, code: str) -> HttpResponse:
    """Another language for a visitor, by a link of the sign-in page. Users choose theirs on the account page."""
    if code not in dict(settings.LANGUAGES):
        raise Http404
    response = redirect_to(next_address(request) or reverse("sign-in"))
    choices.remember_choice(response, "language", code)
    return response


@never_cache
def enter_admin(request: HttpRequest) -> HttpResponse:
    """The sign-in of the admin: redirects anonymous users to sign in and refuses users who are not staff."""
    address = next_address(request) or reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(address)
    if not request.user.is_staff:
        raise PermissionDenied
    return HttpResponseRedirect(address)


def too_many_attempts(request: HttpRequest, wait_seconds: float, back: str = "sign-in") -> HttpResponse:
    """The same response for known and unknown names. `back`: the URL name of the page to return to."""
    context = {"minutes": math.ceil(wait_seconds / 60), "back": reverse(back)}
    response = render(request, "registration/too-many-attempts.html", context, status=429)
    response.headers["Retry-After"] = str(math.ceil(wait_seconds))
    return response


def signs_out_by_script(request: HttpRequest) -> bool:
    """Whether sign-out.js sent the form: it deletes unsent text unless the response is an error."""
    return "X-Signs-Out" in request.headers


def next_address(request: HttpRequest) -> str:
    """The address to continue to; empty unless it is on this site."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else ""


def redirect_to(address: str) -> HttpResponse:
    """Redirect to the result of `next_address` unchanged: `redirect` could take it for the name of a view."""
    return HttpResponseRedirect(address or resolve_url(settings.LOGIN_REDIRECT_URL))
