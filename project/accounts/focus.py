"""Forms that open with the cursor in the first wrong field or in the first empty field."""

from typing import Any

from django import forms

# The element with the errors of the form as a whole.
FORM_ERROR_ID = "form_error"

# The names, or the ends of the names, of Django's two password fields.
FIRST, SECOND = "password1", "password2"


class FocusedForm(forms.BaseForm):
    """A base class before Django's form; templates loop over `visible_fields`."""

    # The field to correct when the form as a whole is refused.
    field_of_refusal = ""
    # False for pages with several forms: the cursor is in none of them.
    opens_focused = True

    def visible_fields(self) -> list[Any]:
        fields: list[Any] = super().visible_fields()
        wrong = next((field for field in fields if field.errors), None)
        focused = self._field_to_focus(fields, wrong)
        for field in fields:
            attrs = field.field.widget.attrs
            attrs.pop("autofocus", None)
            if field is focused:
                attrs["autofocus"] = True
                if not field.errors and (ids := self._ids_of_errors(field, wrong)):
                    attrs |= {"aria-invalid": "true", "aria-describedby": ids}
        return fields

    def _ids_of_errors(self, field: Any, wrong: Any) -> str:
        """The ids of the texts that describe a focused field without an error of its own."""
        error = f"{wrong.auto_id}_error" if wrong else FORM_ERROR_ID if self.non_field_errors() else ""
        return f"{field.auto_id}_helptext {error}" if error and field.help_text else error

    def _field_to_focus(self, fields: list[Any], wrong: Any) -> Any:
        if wrong is not None:
            return wrong
        if self.is_bound:
            return next((field for field in fields if field.name == self.field_of_refusal), None)
        return next((field for field in fields if not field.value()), None) if self.opens_focused else None


class NewPasswordFields(FocusedForm):
    """A base class before Django's form with two fields for a new password.

    A refused form shows both fields empty, so the first one has the cursor and the errors of the password.
    """

    def validate_password_for_user(self, user: Any, name: str = SECOND) -> None:
        form: Any = super()
        form.validate_password_for_user(user, _first_of_two(name))

    def _field_to_focus(self, fields: list[Any], wrong: Any) -> Any:
        name = _first_of_two(wrong.name) if wrong is not None else ""
        first = next((field for field in fields if field.name == name), wrong)
        return super()._field_to_focus(fields, first)


def _first_of_two(name: str) -> str:
    return name.replace(SECOND, FIRST)
