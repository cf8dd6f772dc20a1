"""Links between rows in the admin. A row without an admin page, such as a team's own users, is plain text."""

from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html


def link_to(row: Model | None, *, text: str = "", if_none: str = "-") -> str:
    """Return a link to the row's page, with its name or `text`; `if_none` without a row."""
    if row is None:
        return if_none
    try:
        address = reverse(f"admin:{_name_of(type(row))}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', address, text or row)


def link_to_list(model: type[Model], text: object, **query: Any) -> str:
    """Return a link, with `text`, to the list of the `model`'s rows that match `query`: lookups and their values."""
    try:
        address = reverse(f"admin:{_name_of(model)}_changelist", query=query)
    except NoReverseMatch:
        return str(text)
    return format_html('<a href="{}">{}</a>', address, text)


def _name_of(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
