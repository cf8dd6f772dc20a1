"""Access tokens in the admin: created, shown once, revoked; never changed, and deleted only with their user."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.admin_services.base import ServiceAdmin
from hubbub.admin_services.links import link_to
from hubbub.auth.tokens import TOKEN_PREFIX, create_token, known_scopes, revoke_token
from hubbub.models import AccessToken
from hubbub.process.times import now, utc

EXPIRY = timedelta(days=30)  # The default in the form.
STATES = {
    "usable": _("usable"),
    "expired": _("expired"),
    "revoked": _("revoked"),
    "user not active": _("user not active"),
}


class AccessTokenForm(forms.ModelForm):  # type: ignore[type-arg]
    creator: Any = None  # The user of the request.
    # A callable, since the scopes come from the settings.
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        # A site marks its descriptions by `gettext_noop`: settings are plain texts.
        choices=lambda: [(name, f"{name}: {_told(about)}") for name, about in known_scopes().items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick only scopes that the program needs."),
        error_messages={"required": _("Tick at least one.")},
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and utc(expires_at) <= now():
            raise ValidationError(_("This time is in the past: the token would never be valid."))
        return expires_at

    def clean_user(self) -> Any:
        user = self.cleaned_data["user"]
        if not users.is_active(user):
            raise ValidationError(_("This user is not active: the token would not be valid."))
        if not users.has_permissions_of(self.creator, user):
            raise ValidationError(_("This user has permissions that you do not have: a token would give them to you."))
        return user


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("usable", _("Usable")),
            ("expired", _("Expired")),
            ("revoked", _("Revoked")),
            ("inactive", _("User not active")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        unrevoked = queryset.filter(revoked_at=None)
        match self.value():
            case "usable":
                return queryset & AccessToken.objects.usable()
            case "expired":
                return unrevoked.filter(expires_at__lte=timezone.now())
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "inactive":
                inactive = unrevoked.exclude(users.active("user")) if users.is_active_a_column() else unrevoked.none()
                return inactive.exclude(expires_at__lte=timezone.now())
        return queryset


@admin.register(AccessToken)
class AccessTokenAdmin(ServiceAdmin):
    form = AccessTokenForm
    list_display = ["name", "owner", "state", "scopes", "prefix", "expires_at", "last_used_at", "created_at"]
    list_filter = [StateFilter, "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["name"]
    search_help_text = _("Search names of tokens and users.")
    actions = ["revoke"]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *users.name_searches("user")]

    def get_fields(self, request: HttpRequest, obj: AccessToken | None = None) -> Any:
        if obj is None:
            return ["user", "name", "scopes", "expires_at"]
        return ["user", "name", "scopes", "prefix", "state", "created_at", "expires_at", "last_used_at", "revoked_at"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form_class: Any = super().get_form(request, obj, change=change, **kwargs)
        form_class.creator = request.user  # The class is made for this request.
        return form_class

    def get_readonly_fields(self, request: HttpRequest, obj: AccessToken | None = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        # No default scope: each right of a token is a choice.
        return {"expires_at": timezone.now() + EXPIRY, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hubbub.change_accesstoken")

    @admin.display(description=_("user"), ordering=users.name_lookup("user"))
    def owner(self, token: AccessToken) -> str:
        return link_to(token.user)

    @admin.display(description=_("token begins with"), ordering="pk")
    def prefix(self, token: AccessToken) -> str:
        return f"{TOKEN_PREFIX}_{token.pk}_"

    @admin.display(description=_("state"))
    def state(self, token: AccessToken) -> Any:
        return STATES[token.state]

    @sensitive_variables()
    def save_model(self, request: HttpRequest, obj: AccessToken, form: Any, change: bool) -> None:
        token, text = create_token(**form.cleaned_data)
        obj.pk = token.pk
        request.token_text = text  # type: ignore[attr-defined]

    @sensitive_variables()
    def response_add(
        self, request: HttpRequest, obj: AccessToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        # No redirect: the token would have to be stored for the next page, in a cookie or the database.
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new access token"),
            "opts": self.opts,
            "media": self.media,
            "token": obj,
            "text": request.token_text,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/hubbub/accesstoken/created.html", context)

    @admin.action(description=_("Revoke: the tokens stop working at once"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> HttpResponse | None:
        return self.for_each(request, queryset.filter(revoked_at=None), revoke_token, done=_("revoked"))


def _told(description: object) -> str:
    """A description in the language of the page."""
    return gettext(text) if (text := str(description)) else ""
