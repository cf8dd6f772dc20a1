"""Base of admin pages whose rows are written by services: form errors, and a search for users."""

from typing import Any

from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.db import IntegrityError
from django.http import HttpRequest

from hubbub.admin_services.bulk import BulkAdmin


class ServiceAdmin(BulkAdmin):
    """A ModelAdmin whose subclass overrides `save_model` and `delete_model` with calls of services.

    If a service refuses a valid form, the form shows the error and keeps the input.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form; if a service refuses it, show it again with the error."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as error:
            request.refusal = error  # type: ignore[attr-defined]
        except (IntegrityError, ObjectDoesNotExist):
            pass  # Another user changed the row meanwhile: the second call shows it as an error of the form.
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_autocomplete_fields(request), *user_search_fields(self)]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_foreignkey(db_field, request, **user_widget(self, db_field), **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form_class = super().get_form(request, obj, change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form_class if refusal is None else _with_error(form_class, refusal)


def user_search_fields(of: Any) -> list[str]:
    """Return the foreign keys to users of this ModelAdmin or inline, if its site has a search for users."""
    if not _has_search(of.admin_site):
        return []
    return [field.name for field in of.opts.fields if _is_of_users(field)]


def user_widget(of: Any, field: Any) -> dict[str, Any]:
    """Return the arguments of a form field for `field` of the ModelAdmin or inline `of`.

    On a site without a search for users a foreign key to users is a key field: a list would contain all users.
    """
    if not _is_of_users(field) or _has_search(of.admin_site):
        return {}
    return {"widget": ForeignKeyRawIdWidget(field.remote_field, of.admin_site)}


def has_user_search(site: Any, request: HttpRequest) -> bool:
    """Whether the user of the request may search for users in the admin `site`."""
    return _has_search(site) and bool(site.get_model_admin(get_user_model()).has_view_permission(request))


def _is_of_users(field: Any) -> bool:
    return field.remote_field is not None and field.remote_field.model is get_user_model()


def _has_search(site: Any) -> bool:
    """Whether the site can search users. Django refuses to start with a search that does not exist."""
    users = get_user_model()
    return site.is_registered(users) and bool(site.get_model_admin(users).search_fields)


def _with_error(form_class: Any, refusal: ValidationError) -> Any:
    class RefusedForm(form_class):  # type: ignore[misc]
        def clean(self) -> Any:
            cleaned = super().clean()
            fields = refusal.message_dict if hasattr(refusal, "error_dict") else {NON_FIELD_ERRORS: refusal.messages}
            for name, texts in fields.items():
                prefix = "" if name == NON_FIELD_ERRORS else f"{name}: "
                self.add_error(None, [f"{prefix}{text}" for text in texts])
            return cleaned

    return RefusedForm
