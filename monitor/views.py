"""The dashboard's page: a shell, filled by the socket."""

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from monitor import conf

# What a host's card shows, as (key, label).
METRICS = (("cpu", "CPU"), ("memory", "Memory"), ("load", "Load"), ("network", "Network"))


@require_safe
@login_required
@permission_required("monitor.view_dashboard", raise_exception=True)
def dashboard(request: HttpRequest) -> HttpResponse:
    stale_ms = round(conf.settings().stale_seconds * 1000)
    return render(request, "monitor/dashboard.html", {"stale_ms": stale_ms, "metrics": METRICS})
