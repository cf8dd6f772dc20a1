"""The heading of an admin list that shows only the rows of one user or one room."""

from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Field, Model
from django.http import HttpRequest, QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext

from hubbub import users


def describe_scope(of: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the title and the heading of this ModelAdmin's list; empty for a list of all rows.

    It makes one query for each foreign key in the address.
    """
    parts = [part for field in of.opts.fields if (part := _part(of, field, request.GET))]
    if not parts:
        return {}
    plural = of.opts.verbose_name_plural
    names = ", ".join(part["name"] for part in parts)
    return {
        "title": f"{capfirst(plural)}: {names}",
        "scope": parts,
        "scope_all": gettext("Show all %(rows)s") % {"rows": plural},
    }


def _part(of: Any, field: "Field[Any, Any]", query: QueryDict) -> dict[str, str] | None:
    """The template's values for a foreign key that the query selects."""
    if not field.many_to_one:
        return None
    to_field: Any = field.target_field  # type: ignore[attr-defined]
    for name in (f"{field.name}__exact", f"{field.name}__{to_field.name}__exact", field.name):
        if name in query:
            row = _find(field.related_model, to_field, str(query[name]))
            text = gettext("no such %(kind)s") % {"kind": field.verbose_name} if row is None else str(row)
            return {"label": capfirst(str(field.verbose_name)), "name": text, "url": _page_of(of, row)}
    return None


def _find(model: Any, field: Any, text: str) -> Model | None:
    key = users.key_from_text(field, text)
    row: Model | None = None if key is None else model._base_manager.filter(**{field.name: key}).first()
    return row


def _page_of(of: Any, row: Model | None) -> str:
    """The address of the row's page in this admin; empty without one."""
    if row is None:
        return ""
    meta = row._meta
    try:
        name = f"{of.admin_site.name}:{meta.app_label}_{meta.model_name}_change"
        return reverse(name, args=[quote(row.pk)])
    except NoReverseMatch:
        return ""
