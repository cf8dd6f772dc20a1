from collections.abc import Callable

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.generic import TemplateView

from bell.views import notify
from example_site.views import home, sign_in
from htmx import views as htmx
from polls.views import detail


def page(template: str) -> Callable[..., HttpResponseBase]:
    """A page for signed-in users that needs nothing but its template."""
    return login_required(TemplateView.as_view(template_name=template))


urlpatterns = [
    path("", home, name="home"),
    path("sign-in/", sign_in, name="sign-in"),
    path("echo/", page("echo/echo.html"), name="echo"),
    path("polls/<int:pk>/", detail, name="poll"),
    path("htmx/<int:pk>/", htmx.page, name="htmx-poll"),
    path("htmx/<int:pk>/bars/", htmx.bars, name="htmx-bars"),
    path("htmx/<int:pk>/vote/", htmx.vote, name="htmx-vote"),
    path("bell/", notify, name="bell"),
    path("cursors/", page("cursors/cursors.html"), name="cursors"),
    path("admin/", admin.site.urls),
    *staticfiles_urlpatterns(),
]
