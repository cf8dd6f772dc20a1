"""Forms whose page opens with the cursor where it is needed: in the first wrong field, or in the first empty one."""

from typing import Any

from django import forms

# The element of the page that shows what is wrong with the form as a whole.
FORM_ERROR_ID = "form_error"


class FocusedForm(forms.BaseForm):
    """To be inherited from before Django's form; templates loop over `visible_fields`."""

    # The field to correct when the form as a whole is refused.
    field_of_refusal = ""
    # False: the page has several forms, and opens with the cursor in none of them.
    opens_focused = True

    def visible_fields(self) -> list[Any]:
        fields: list[Any] = super().visible_fields()
        focused = self._field_to_focus(fields)
        for field in fields:
            attrs = field.field.widget.attrs
            attrs.pop("autofocus", None)
            if field is focused:
                attrs["autofocus"] = True
                if not field.errors and self.non_field_errors():
                    attrs |= {"aria-invalid": "true", "aria-describedby": FORM_ERROR_ID}
        return fields

    def _field_to_focus(self, fields: list[Any]) -> Any:
        if wrong := next((field for field in fields if field.errors), None):
            return wrong
        if self.is_bound:
            return next((field for field in fields if field.name == self.field_of_refusal), None)
        return next((field for field in fields if not field.value()), None) if self.opens_focused else None
