"""The page for a request that failed: a database that is away is no bug, and will be back; nor is a crowd."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from project.accounts.hashing import Busy
from realtime.threads import RETRY_AFTER_MS, is_away


def failed(request: HttpRequest) -> HttpResponse:
    """503 when the database is out of reach, locked or full, or too many sign in at once; otherwise 500."""
    error = sys.exc_info()[1]
    while error is not None and not (is_away(error) or isinstance(error, Busy)):
        error = error.__cause__ or error.__context__
    if error is None:
        return server_error(request)
    is_busy = isinstance(error, Busy)
    seconds = Busy.RETRY_SECONDS if is_busy else max(1, RETRY_AFTER_MS // 1000)
    # Without the request: its user and its messages would be asked of the database.
    response = render(None, "503.html", {"is_busy": is_busy}, status=503)
    response.headers["Retry-After"] = str(seconds)
    return response
