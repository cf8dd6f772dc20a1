"""Keeps staff from gaining more rights in the admin of users and groups.

Django's own admin lets every user who may change users or groups grant themselves any permission.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from project.accounts.rights import grantable_groups, grantable_permissions, lacks_rights_of, lacks_rights_of_group

NOT_YOURS_TO_GIVE = _("You cannot grant permissions that you do not have. Reload the page to see which you can grant.")


class BoundedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Base for rows that hold rights: a row with rights that the admin lacks can be neither changed nor deleted.

    Password changes and bulk deletions call the same methods.
    """

    def is_beyond(self, request: HttpRequest, obj: Any) -> bool:
        """Whether the row has a right that the request's user lacks."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not self.is_beyond(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not self.is_beyond(request, obj))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # Choices that are not offered are refused.
        if db_field.related_model is Permission:
            kwargs["queryset"] = grantable_permissions(request.user)
        elif db_field.related_model is Group:
            kwargs["queryset"] = grantable_groups(request.user)
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None:
            field.error_messages["invalid_choice"] = NOT_YOURS_TO_GIVE
        return field


class BoundedUserAdmin(BoundedAdmin):
    """Users. Only superusers make superusers."""

    def is_beyond(self, request: HttpRequest, obj: Any) -> bool:
        return lacks_rights_of(request.user, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if getattr(request.user, "is_superuser", False) else [*fields, "is_superuser"]


class GroupAdmin(BoundedAdmin, DjangoGroupAdmin):  # type: ignore[misc]
    search_help_text = _("Search names of groups.")

    class Media:
        css = {"all": ["hubbub/css/admin.css"]}

    def is_beyond(self, request: HttpRequest, obj: Any) -> bool:
        return lacks_rights_of_group(request.user, obj)
