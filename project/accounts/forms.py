"""The forms to sign in and to sign up."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm, UserCreationForm, UsernameField
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from project.accounts.focus import FocusedForm, NewPasswordFields
from project.accounts.models import NAME_TAKEN, User


class SignInForm(FocusedForm, AuthenticationForm):
    field_of_refusal = "password"
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("Wrong name or password. Capital letters in the password matter."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["username"].label = _("Name")


class SignUpForm(NewPasswordFields, UserCreationForm):  # type: ignore[type-arg]
    error_messages = {"password_mismatch": _("The two passwords differ.")}

    class Meta:
        model = User
        fields = ["username"]
        field_classes = {"username": UsernameField}
        labels = {"username": _("Name")}
        help_texts = {"username": _("Other people see it next to your messages. Letters, digits and @ . + - _")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["password1"].label = _("Password")
        self.fields["password1"].help_text = _("At least 8 characters, and not a common password.")
        self.fields["password2"].label = _("Password again")
        self.fields["password2"].help_text = ""

    def create(self) -> User | None:
        """Create the user. None, with an error on the form: another request has just taken the name."""
        try:
            # Without a transaction: the hash comes first, and SQLite's other writers would wait for it. It is one row.
            user: User = self.save()
            return user
        except IntegrityError:
            self.add_error("username", ValidationError(NAME_TAKEN, code="unique"))
            return None
