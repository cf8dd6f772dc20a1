"""Users in the admin: Django's pages with the rooms, messages and tokens of each user."""

import copy
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat import deletion
from chat.models import Membership, Message
from hubbub import users
from hubbub.admin_services.bulk import BulkAdmin
from hubbub.admin_services.links import link_to_list
from hubbub.models import AccessToken
from hubbub.process.security_log import Kind, log_event
from project.accounts.escalation import BoundedUserAdmin, GroupAdmin
from project.accounts.models import User
from project.accounts.password_forms import OtherPasswordForm
from project.accounts.pictures import set_picture
from project.accounts.reset_admin import ResetLinkAdmin

ACTIVITY = ["rooms", "messages", "tokens"]
SHOWN = ["shown_name", "shown_status"]


class ChangeUserForm(UserChangeForm):  # type: ignore[type-arg]
    remove_picture = forms.BooleanField(required=False, help_text=_("Others see the initials again."))


class AddUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    password_hash = ""

    def set_password_and_save(self, user: Any, commit: bool = True, **kwargs: Any) -> Any:
        if not (self.password_hash and self.cleaned_data["set_usable_password"]):
            return super().set_password_and_save(user, commit=commit, **kwargs)
        user.password = self.password_hash
        if commit:
            user.save()
        return user


admin.site.unregister(Group)
admin.site.register(Group, GroupAdmin)


class NameFilter(admin.SimpleListFilter):
    """Users without a key of their name. Of two look-alikes of before the rule, the newer account has none.

    Users that the release before has made have none either, until `manage.py name_keys` compares their names.
    """

    title = _("look-alike name")
    parameter_name = "name_key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("missing", _("Like the name of an older account, or not compared yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(name_key=None) if self.value() == "missing" else queryset


@admin.register(User)
class UserAdmin(ResetLinkAdmin, BoundedUserAdmin, BulkAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = AddUserForm
    list_display = [
        "username",
        "shown_name",
        "is_active",
        "is_staff",
        "rooms",
        "messages",
        "tokens",
        "last_login",
        "email",
    ]
    form = ChangeUserForm
    search_fields = ["username", "shown_name", "email"]
    list_filter = ["is_active", "is_staff", "is_superuser", NameFilter, "groups", "date_joined", "last_login"]
    search_help_text = _("Search names and email addresses.")
    # The rows that depend on each user are looked up before the deletion.
    max_selected = 1_000

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        # Before the transaction of this view begins: SQLite has one writer, and a hash takes a third of a second.
        password = request.POST.get("password1")
        if password and self.has_add_permission(request) and self.has_change_permission(request):
            request.password_hash = make_password(password)  # type: ignore[attr-defined]
        return super().add_view(request, form_url, extra_context)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        # Django makes the form without the request: a copy for this request has a form that checks again at the end.
        admin_copy: Any = copy.copy(self)
        admin_copy.change_password_form = partial(
            OtherPasswordForm, allows=lambda user: self.has_change_permission(request, user)
        )
        return DjangoUserAdmin.user_change_password(admin_copy, request, id, form_url)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:  # Another request has just taken the name: the form finds it on the second run.
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form_class: Any = super().get_form(request, obj, change=change, **kwargs)
        if not self._can_remove_picture(request, obj):
            form_class.base_fields.pop("remove_picture", None)
        if issubclass(form_class, AddUserForm):
            form_class.password_hash = getattr(request, "password_hash", "")
        return form_class

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        found: QuerySet[User] = (
            super()
            .get_queryset(request)
            .annotate(
                room_count=_count("memberships", ~Q(role=Membership.Role.NONE)),
                message_count=_count("messages"),
                token_count=_count("access_tokens"),
            )
        )
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        shown = [*SHOWN, "remove_picture"] if self._can_remove_picture(request, obj) else SHOWN
        return [(_("Activity"), {"fields": [tuple(ACTIVITY)]}), (_("Shown to others"), {"fields": shown}), *fieldsets]

    def _can_remove_picture(self, request: HttpRequest, obj: Any) -> bool:
        return obj is not None and bool(obj.shown_picture) and self.has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else [*fields, *ACTIVITY]

    @admin.display(description=_("rooms"), ordering="room_count")
    def rooms(self, user: Any) -> str:
        return link_to_list(Membership, user.room_count, user__exact=user.pk, member="yes")

    @admin.display(description=_("messages"), ordering="message_count")
    def messages(self, user: Any) -> str:
        return link_to_list(Message, user.message_count, author__exact=user.pk)

    @admin.display(description=_("access tokens"), ordering="token_count")
    def tokens(self, user: Any) -> str:
        return link_to_list(AccessToken, user.token_count, user__exact=user.pk)

    def check_deletable(self, request: HttpRequest, row: Any) -> None:
        if row.pk == request.user.pk:
            raise ValidationError(_("this is your own account"))
        if self.is_beyond(request, row):
            raise ValidationError(_("the account has permissions that you do not have"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # In the transaction of the page.
        if form.cleaned_data.get("remove_picture"):
            set_picture(obj, None)
        super().save_model(request, obj, form, change)
        if changed := {*SHOWN, "remove_picture"}.intersection(form.changed_data):
            detail = f"by user {request.user.pk}: {', '.join(sorted(changed))}"
            log_event(Kind.PROFILE_CHANGED, user=obj.pk, detail=detail)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        deletion.disown_messages(user_id=users.id_of(obj))
        super().delete_model(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Tokens cannot be deleted one by one, so that their use stays traceable; they are deleted with their user.
        lacking.discard(AccessToken._meta.verbose_name)
        return to_delete, counts, lacking, protected


def _count(relation: str, *which: Q) -> Coalesce:
    """Count the rows that refer to a user, by a subquery: several joins would multiply each other."""
    pointing: Any = User._meta.get_field(relation)
    key = pointing.field.name
    rows = pointing.related_model.objects.filter(*which, **{key: OuterRef("pk")}).order_by().values(key)
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)
