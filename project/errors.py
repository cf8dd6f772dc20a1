"""Pages for requests that failed: a database that is away is no bug, and will be back; nor is a crowd."""

import sys

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from hubbub.threads import RETRY_AFTER_MS, is_away
from project.accounts.hashing import Busy


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400. A form past Django's bounds is no attack most of the time, so the page says which it was."""
    is_too_big = isinstance(exception, TooManyFieldsSent | TooManyFilesSent | RequestDataTooBig)
    return render(None, "400.html", {"is_too_big": is_too_big}, status=400)


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
