"""Links between the rows that the admin shows. What has no page in it, such as a team's own users, is plain text."""

from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html


def link_to(row: Model | None, *, text: str = "", if_none: str = "-") -> str:
    """The row's name, or this text, which leads to its page."""
    if row is None:
        return if_none
    try:
        address = reverse(f"admin:{_name_of(type(row))}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', address, text or row)


def link_to_list(model: type[Model], text: object, **query: Any) -> str:
    """The text, which leads to the list of those rows that have these values."""
    try:
        address = reverse(f"admin:{_name_of(model)}_changelist", query=query)
    except NoReverseMatch:
        return str(text)
    return format_html('<a href="{}">{}</a>', address, text)


def _name_of(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
