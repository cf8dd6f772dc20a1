"""Reset links: the page to request one by email, and the page where a link sets a new password."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from hubbub.process.security_log import Kind, log_event
from project.accounts import known_browsers, login_throttle, passwords, reset_mail
from project.accounts.browsers import address_of
from project.accounts.models import User
from project.accounts.password_forms import ForgottenForm, NewPasswordForm
from project.accounts.views import too_many_attempts


class Reset(PasswordResetConfirmView):
    """Django's page, which moves the secret of the link from the address into the session."""

    form_class = NewPasswordForm
    template_name = "registration/reset.html"
    token_generator = passwords.reset_tokens

    def get_user(self, uidb64: str) -> User | None:
        return passwords.find_by_uid(uidb64)

    def form_valid(self, form: Any) -> HttpResponse:
        token = self.request.session.get(INTERNAL_RESET_SESSION_TOKEN)
        is_set = passwords.set_password(
            form.user,
            form.cleaned_data["new_password1"],
            end_tokens=bool(form.cleaned_data.get("end_tokens")),
            allows=lambda user: passwords.reset_tokens.check_token(user, token),
        )
        self.request.session.pop(INTERNAL_RESET_SESSION_TOKEN, None)
        if not is_set:  # Another request has just used the link.
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        log_event(Kind.PASSWORD_CHANGED, address=address_of(self.request), user=form.user.pk, detail="by a reset link")
        messages.success(self.request, gettext("Your password is set. Sign in with it."))
        response = redirect("sign-in")
        known_browsers.remember(self.request, response, form.user)
        return response


@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Request a link by email. The response and its time are the same for known and unknown addresses."""
    if not settings.EMAIL_HOST_IS_SET:
        raise Http404
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "registration/forgotten.html", {"form": form})
    email, address = form.cleaned_data["email"], address_of(request)
    if wait := login_throttle.try_reset_mail(email, address):
        log_event(Kind.RESET_LIMITED, address=address)
        return too_many_attempts(request, wait, back="forgotten")
    reset_mail.send_later(email, settings.SITE_URL, address)
    return render(request, "registration/forgotten-sent.html", {"lifetime": passwords.lifetime()})


def site_of(request: HttpRequest) -> str:
    """The scheme and host of the request, for a link that is shown only to its sender."""
    return f"{request.scheme}://{request.get_host()}"
