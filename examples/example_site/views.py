"""The list of examples, and a sign-in without a password: for a trial only, so it needs DEBUG."""

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from polls.models import Poll

NAMES = ("alice", "bob")


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "example_site/home.html", {"names": NAMES, "polls": Poll.objects.all()})


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as Alice or Bob, who may use the admin."""
    name = request.POST.get("name")
    if not settings.DEBUG or name not in NAMES:
        raise Http404
    user, _ = get_user_model().objects.get_or_create(username=name, defaults={"is_staff": True, "is_superuser": True})
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    return redirect("home")
