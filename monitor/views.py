"""The dashboard page: a shell that the socket fills."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from hubbub import users
from monitor import conf

# The readings on a host's card, as (key, label).
METRICS = (("cpu", _("CPU")), ("memory", _("Memory")), ("load", _("Load")), ("network", _("Network")))


@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    if not users.has_perm(request.user, "monitor.view_dashboard"):
        raise PermissionDenied
    user_id = users.id_of(request.user)
    stale_ms = round(conf.settings().stale_seconds * 1000)
    return render(request, "monitor/dashboard.html", {"stale_ms": stale_ms, "metrics": METRICS, "user_id": user_id})
