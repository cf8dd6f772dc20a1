"""The forms of the account page, of reset links, and of the admin for another user's password."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm, SetPasswordForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from hubbub.models import AccessToken
from project.accounts import passwords
from project.accounts.focus import FocusedForm, NewPasswordFields
from project.accounts.models import User

NOT_THE_PASSWORD = _("This is not your current password.")
PASSWORDS_DIFFER = _("The two passwords differ.")
PASSWORD_HELP = _("At least 8 characters, and not a common password.")


def _end_tokens() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("Revoke my access tokens as well"), required=False, help_text=_("Programs that use them stop working.")
    )


def _set_fields(form: Any) -> None:
    first, second = form.fields["new_password1"], form.fields["new_password2"]
    first.label, first.help_text = _("New password"), PASSWORD_HELP
    second.label, second.help_text = _("New password again"), ""
    if not AccessToken.objects.usable().filter(user=form.user).exists():
        del form.fields["end_tokens"]


class PasswordForm(NewPasswordFields, PasswordChangeForm):
    """A new password, set by a user who knows the current one."""

    opens_focused = False
    error_messages = {"password_mismatch": PASSWORDS_DIFFER, "password_incorrect": NOT_THE_PASSWORD}
    end_tokens = _end_tokens()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["old_password"].label = _("Current password")
        _set_fields(self)


class NewPasswordForm(NewPasswordFields, SetPasswordForm):  # type: ignore[type-arg]
    """A new password, set by the holder of a reset link."""

    error_messages = {"password_mismatch": PASSWORDS_DIFFER}
    end_tokens = _end_tokens()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        _set_fields(self)


class OtherPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password, or none, by an administrator. `allows`: see `passwords.set_password`."""

    def __init__(self, *args: Any, allows: Callable[[User], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.allows = allows

    @sensitive_variables("password")
    def save(self, commit: bool = True) -> Any:
        """Saves the password alone. Django's form would save all fields as they were before the hash."""
        password = self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        if not passwords.set_password(self.user, password, end_tokens=False, allows=self.allows):
            raise PermissionDenied
        self.user.refresh_from_db(fields=["password"])
        return self.user


class EmailForm(FocusedForm, forms.Form):
    """The email address for reset links. It allows setting a new password, so the current one is required."""

    opens_focused = False
    email = forms.EmailField(
        label=_("Email address"),
        required=False,
        max_length=254,
        help_text=_("Optional. If you forget your password, a link to set a new one is sent to this address."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    present_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data, label_suffix="", initial={"email": user.email})
        self.user = user

    @sensitive_variables("password")
    def clean_present_password(self) -> str:
        password: str = self.cleaned_data["present_password"]
        if not self.user.check_password(password):
            raise ValidationError(NOT_THE_PASSWORD, code="password_incorrect")
        return password


class ForgottenForm(FocusedForm, forms.Form):
    """The email address to send a reset link to."""

    email = forms.EmailField(
        label=_("Email address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
