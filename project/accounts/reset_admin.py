"""In the admin, on a user's page: make a reset link, for an account whose rights the administrator has as well."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables

from hubbub.process.security_log import Kind, log_event
from project.accounts import passwords
from project.accounts.browsers import address_of
from project.accounts.resets import site_of
from project.accounts.rights import lacks_rights_of


class ResetLinkAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To be inherited from before Django's UserAdmin."""

    change_form_template = "admin/accounts/user/change_form.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.reset_link_view)
        return [path("<path:object_id>/reset-link/", view, name="accounts_user_reset_link"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["may_make_reset_link"] = self.may_make_reset_link(request, kwargs.get("obj"))
        return super().render_change_form(request, context, *args, **kwargs)

    def may_make_reset_link(self, request: HttpRequest, user: Any) -> bool:
        """The holder of a link can act as the user. So the administrator must have all rights of the user."""
        if user is None or not user.is_active or not self.has_change_permission(request, user):
            return False
        return not lacks_rights_of(request.user, user)

    @method_decorator(sensitive_variables("link"))
    def reset_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first; then shows the link, this once."""
        user = self.get_object(request, unquote(object_id))
        if user is None:
            raise Http404
        if not self.may_make_reset_link(request, user):
            raise PermissionDenied
        link = ""
        if request.method == "POST":
            # The answer itself and no redirect, for which the link would be kept somewhere meanwhile.
            link = passwords.reset_link(user, site_of(request))
            self.log_change(request, user, "Made a reset link.")
            log_event(
                Kind.RESET_LINK_MADE, address=address_of(request), user=user.pk, detail=f"by user {request.user.pk}"
            )
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Reset link for %(name)s") % {"name": user.get_username()},
            "opts": self.opts,
            "media": self.media,
            "original": user,
            "link": link,
            "lifetime": passwords.lifetime(),
        }
        response = TemplateResponse(request, "admin/accounts/user/reset_link.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response
