"""The page for a request that failed: a database that is away is no bug, and will be back."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from realtime.threads import RETRY_AFTER_MS, is_away


def failed(request: HttpRequest) -> HttpResponse:
    """503 when the database is out of reach, locked or full; otherwise 500."""
    error = sys.exc_info()[1]
    while error is not None and not is_away(error):
        error = error.__cause__ or error.__context__
    if error is None:
        return server_error(request)
    # Without the request: its user and its messages would be asked of the database.
    response = render(None, "503.html", status=503)
    response.headers["Retry-After"] = str(max(1, RETRY_AFTER_MS // 1000))
    return response
