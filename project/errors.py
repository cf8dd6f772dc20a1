"""Error pages. An unavailable database and an overload are temporary, so they get 503 instead of 500."""

import sys

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from hubbub.threads import RETRY_AFTER_MS, is_away
from project.accounts.hashing import Busy


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400. A form past Django's limits is rarely an attack, so the page gives the reason."""
    is_too_big = isinstance(exception, TooManyFieldsSent | TooManyFilesSent | RequestDataTooBig)
    return render(None, "400.html", {"is_too_big": is_too_big}, status=400)


def failed(request: HttpRequest) -> HttpResponse:
    """503 if the database is unreachable, locked or full, or too many users sign in at once; otherwise 500."""
    error = sys.exc_info()[1]
    while error is not None and not (is_away(error) or isinstance(error, Busy)):
        error = error.__cause__ or error.__context__
    if error is None:
        return server_error(request)
    is_busy = isinstance(error, Busy)
    seconds = Busy.RETRY_SECONDS if is_busy else max(1, RETRY_AFTER_MS // 1000)
    # Without the request, whose user and messages the template would read from the database.
    response = render(None, "503.html", {"is_busy": is_busy}, status=503)
    response.headers["Retry-After"] = str(seconds)
    return response
