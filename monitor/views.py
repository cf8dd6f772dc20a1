"""The dashboard's page: a shell, filled by the socket."""

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from monitor import conf


@require_safe
@login_required
@permission_required("monitor.view_dashboard", raise_exception=True)
def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "monitor/dashboard.html", {"tunables": conf.settings()})
