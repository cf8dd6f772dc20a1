"""The URLs of the site, and a page that keeps its thread busy."""

import time

from django.http import HttpRequest, HttpResponse
from django.urls import path

from project.urls import urlpatterns as site

BUSY_SECONDS = 8.0


def busy(request: HttpRequest) -> HttpResponse:
    time.sleep(BUSY_SECONDS)
    return HttpResponse("done")


urlpatterns = [path("busy/", busy), *site]
