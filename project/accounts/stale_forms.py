"""Handles forms that are older than the browser's session: account pages show the form again, others are refused.

Signing in changes the CSRF token of the whole browser, so Django refuses forms of pages that were open before. Only
signing out is still carried out here.
"""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN, REASON_NO_CSRF_COOKIE
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext_lazy as _
from django.views.csrf import csrf_failure
from django.views.decorators.cache import never_cache

from project.accounts.forms import SignInForm, SignUpForm
from project.accounts.views import find_account, next_address, redirect_to, sign_in_context, signs_out_by_script

TOO_OLD = _("The page had expired. Please send the form again.")
NO_COOKIE = _("Your browser sent no cookie with the form. Allow cookies for this site and send the form again.")
NOTHING_CHANGED = _("The page had expired, so nothing was changed. Please try again.")  # As in messages.html.


@never_cache
def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW. A form that may come from another site gets the plain refusal."""
    if not is_from_own_page(request, reason):
        return csrf_failure(request, reason)
    notice = NO_COOKIE if reason == REASON_NO_CSRF_COOKIE else TOO_OLD
    match _name(request):
        case "sign-out" | "admin:logout":
            return _sign_out(request)
        case "sign-in":
            return _sign_in(request, notice)
        case "sign-up" if settings.SIGN_UP_OPEN:
            return _sign_up(request, notice)
        case "forgotten" | "reset":
            return _nothing_changed(request, request.path)
        case "account" | "end-browser" | "sign-out-everywhere" | "revoke-token":
            return _nothing_changed(request, reverse("account"))
    return csrf_failure(request, reason)


def is_from_own_page(request: HttpRequest, reason: str) -> bool:
    """Whether the browser states that the form is from a page of this origin; pages cannot forge these headers.

    Django checks the Origin before the token: with any other reason the Origin is ours or trusted.
    """
    if "HTTP_ORIGIN" not in request.META or reason.startswith(REASON_BAD_ORIGIN.partition("%")[0]):
        return False
    return request.META.get("HTTP_SEC_FETCH_SITE") in (None, "same-origin")


def _sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out: the form is from this site, and the worst result is a new sign-in."""
    view: Any = LogoutView()
    view.setup(request)
    response: HttpResponse = view.post(request)
    return response


def _nothing_changed(request: HttpRequest, address: str) -> HttpResponse:
    """Redirect to a page with a notice. A message needs a session, which anonymous requests must not create."""
    if signs_out_by_script(request):
        return HttpResponse(status=403)  # The script then lets the browser send the form again and show that page.
    if not request.user.is_authenticated:
        return redirect(f"{address}?unchanged=1")  # See registration/messages.html.
    messages.warning(request, NOTHING_CHANGED)
    return redirect(address)


def _sign_in(request: HttpRequest, notice: Any) -> HttpResponse:
    """Show the form again, or redirect if another tab has signed in this user. Signs in no user itself."""
    name, user = request.POST.get("username", ""), request.user
    following = next_address(request)
    if user.is_authenticated:
        if not name.strip() or find_account(name) == user:
            return redirect_to(following)
        notice = _("This browser is already signed in as %(name)s. To switch accounts, send the form again.") % {
            "name": user.get_username()
        }
    form = SignInForm(request, initial={"username": name[:150]})
    context = {"form": form, "next": following, "notice": notice, **sign_in_context()}
    return render(request, "registration/sign-in.html", context)


def _sign_up(request: HttpRequest, notice: Any) -> HttpResponse:
    form = SignUpForm(initial={"username": request.POST.get("username", "")[:150]})
    context = {"form": form, "next": next_address(request), "notice": notice}
    return render(request, "registration/sign-up.html", context)


def _name(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""
