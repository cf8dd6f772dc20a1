"""The account page: password, email address, browsers and access tokens of the user."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from hubbub import users
from hubbub.auth import tokens
from hubbub.models import AccessToken
from hubbub.process.security_log import Kind, log_event
from project.accounts import browsers, choices, login_throttle, passwords
from project.accounts.browsers import address_of
from project.accounts.choices import ChoicesForm
from project.accounts.hashing import Busy
from project.accounts.models import User
from project.accounts.password_forms import EmailForm, PasswordForm
from project.accounts.profile import ProfileForm
from project.accounts.views import signs_out_by_script, too_many_attempts

MAX_TOKENS_LISTED = 100
CHANGED_MEANWHILE = gettext_lazy("The password was just changed elsewhere.")

View = Callable[..., HttpResponse]


def for_own_account(view: View) -> View:
    """`view` for signed-in users. If the account is deleted meanwhile, the user is signed out."""

    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except User.DoesNotExist:
            logout(request)
            return redirect("sign-in")

    return checked


@sensitive_post_parameters()
@never_cache
@for_own_account
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The account page with its forms, told apart by the field `form`."""
    if request.method != "POST":
        return _page(request)
    if request.POST.get("form") == "profile":
        return _change_profile(request)
    if request.POST.get("form") == "choices":
        return _change_choices(request)
    answer = _change_email if request.POST.get("form") == "email" and settings.EMAIL_HOST_IS_SET else _change_password
    return with_limited_guesses(answer)(request)


def _change_profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST, request.FILES, instance=_user(request))
    if not form.is_valid() or not form.save_profile():
        return _page(request, profile_form=form)
    messages.success(request, gettext("Your profile is saved."))
    return redirect("account")


def _change_choices(request: HttpRequest) -> HttpResponse:
    form = ChoicesForm(_user(request), request.POST)
    if not form.is_valid():
        return _page(request, choices_form=form)
    form.save()
    with translation.override(choices.language_for(request, form.user)):  # The language of the page that shows it.
        messages.success(request, gettext("Your choices are saved."))
    response = redirect("account")
    choices.remember_choices(response, form.user)
    return response


def _change_password(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = PasswordForm(user, request.POST)
    if not form.is_valid():
        return _page(request, password_form=form)
    end_tokens = bool(form.cleaned_data.get("end_tokens"))
    if not _save_password(request, form, end_tokens=end_tokens):
        return _page(request, password_form=form)
    messages.success(request, gettext("Your password is changed. All other browsers are signed out."))
    if end_tokens:
        messages.success(request, gettext("Your access tokens are revoked."))
    return redirect("account")


def _save_password(request: HttpRequest, form: Any, *, end_tokens: bool = False) -> bool:
    """Set the password of a valid form and log it. False: the form has an error now."""
    checked, new = form.user.password, form.cleaned_data["new_password1"]
    is_changed = passwords.set_password(
        form.user, new, end_tokens=end_tokens, allows=lambda now: now.password == checked, request=request
    )
    if is_changed:
        log_event(Kind.PASSWORD_CHANGED, address=address_of(request), user=form.user.pk)
    else:
        form.add_error("old_password", CHANGED_MEANWHILE)
    return is_changed


def _change_email(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = EmailForm(user, request.POST)
    if not form.is_valid():
        return _page(request, email_form=form)
    checked, email = user.password, User.objects.normalize_email(form.cleaned_data["email"])
    if not passwords.set_email(user, email, allows=lambda now: now.password == checked):
        form.add_error("present_password", CHANGED_MEANWHILE)
        return _page(request, email_form=form)
    messages.success(
        request, gettext("Your email address is saved.") if email else gettext("Your email address is removed.")
    )
    return redirect("account")


@never_cache
@for_own_account
@require_POST
def end_browser(request: HttpRequest, record_id: int) -> HttpResponse:
    """Sign out one browser of the user, which may be this one."""
    is_this = any(browser.is_this for browser in browsers.list_browsers(request) if browser.id == record_id)
    if not is_this and signs_out_by_script(request):
        return HttpResponse(status=409)  # This browser has a newer session, which stays.
    if not browsers.end_session(request.user, record_id):
        messages.info(request, gettext("That browser was already signed out."))
    elif is_this:
        logout(request)
        return redirect("sign-in")
    else:
        messages.success(request, gettext("That browser is signed out."))
    return redirect("account")


@never_cache
@for_own_account
@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """Sign out all browsers, with `keep` all others; with `end_tokens` revoke the access tokens too."""
    if request.POST.get("end_tokens"):
        tokens.revoke_tokens_of(request.user)
    if request.POST.get("keep"):
        browsers.end_other_sessions(request)
        messages.success(request, gettext("All other browsers are signed out."))
        return redirect("account")
    browsers.end_all_sessions(request)
    messages.success(request, gettext("You are signed out everywhere."))
    return redirect("sign-in")


@never_cache
@for_own_account
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke an access token of the user."""
    token = AccessToken.objects.filter(user=_user(request), pk=token_id).first()
    if token is None:
        raise Http404
    tokens.revoke_token(token)
    messages.success(request, gettext("The access token %(name)s is revoked.") % {"name": token.name})
    return redirect("account")


def with_limited_guesses(view: View) -> View:
    """`view` with limited password attempts: the thief of a session must not guess the current password."""

    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST" or not request.user.is_authenticated:
            return view(request, *args, **kwargs)
        limits = (users.id_of(request.user), request.session.session_key or "")
        facts: dict[str, Any] = {"address": address_of(request), "user": request.user.pk}
        if wait := login_throttle.try_password(*limits):
            log_event(Kind.PASSWORD_LIMITED, **facts)
            return too_many_attempts(request, wait, back="account")
        try:
            response = view(request, *args, **kwargs)
        except Busy:
            login_throttle.forgive_password(*limits)
            raise
        if _has_wrong_password(getattr(response, "context_data", None)):
            log_event(Kind.PASSWORD_FAILED, **facts)
        else:
            login_throttle.forgive_password(*limits)
        return response

    return limited


class AdminPasswordView(PasswordChangeView):
    """The admin's own page. Django's saves the whole account as it was before the hash: changes made since are lost."""

    form_class = AdminPasswordChangeForm
    success_url = reverse_lazy("admin:password_change_done")

    def form_valid(self, form: Any) -> HttpResponse:
        if not _save_password(self.request, form):
            return self.form_invalid(form)
        return redirect(self.get_success_url())


@sensitive_post_parameters()
@never_cache
def change_password_in_admin(request: HttpRequest) -> HttpResponse:
    """The admin's own page, with the limit of ours."""

    def page(request: HttpRequest) -> HttpResponse:
        request.current_app = admin.site.name
        form: Any = AdminPasswordView.as_view(extra_context=admin.site.each_context(request))
        return form(request)  # type: ignore[no-any-return]

    view: View = admin.site.admin_view(page, cacheable=True)
    return with_limited_guesses(view)(request)


def _has_wrong_password(context: Any) -> bool:
    form = (context or {}).get("form")
    fields = ("old_password", "present_password")
    return form is not None and any(form.has_error(name, "password_incorrect") for name in fields)


def _page(
    request: HttpRequest,
    *,
    password_form: Any = None,
    email_form: Any = None,
    profile_form: Any = None,
    choices_form: Any = None,
) -> HttpResponse:
    user = _user(request)
    listed = browsers.list_browsers(request)
    context: dict[str, Any] = {
        "form": password_form or email_form or profile_form or choices_form,  # The refused form, if any.
        "profile_form": profile_form or ProfileForm(instance=_user(request)),
        "choices_form": choices_form or ChoicesForm(user),
        "shown": user,
        "password_form": password_form or PasswordForm(user),
        "browsers": listed,
        "are_browsers_listed": browsers.are_listed(),
        "has_other_browsers": not browsers.are_listed() or any(not browser.is_this for browser in listed),
        "tokens": AccessToken.objects.usable().filter(user=user)[:MAX_TOKENS_LISTED],
    }
    if settings.EMAIL_HOST_IS_SET:
        context["email_form"] = email_form or EmailForm(user)
    return TemplateResponse(request, "registration/your-account.html", context)


def _user(request: HttpRequest) -> User:
    """A fresh copy of the user: a refused form must not change the user shown on the page. Raises DoesNotExist."""
    user: Any = request.user
    return User.objects.get(pk=user.pk)
