"""A poll whose bars are rendered by Django. The page fetches them again whenever the topic changes."""

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from polls.models import Option, Poll, Vote
from polls.topics import PollTopic


@login_required
def page(request: HttpRequest, pk: int) -> HttpResponse:
    return shown(request, "htmx/page.html", pk)


@login_required
def bars(request: HttpRequest, pk: int) -> HttpResponse:
    return shown(request, "htmx/bars.html", pk)


@login_required
@require_POST
def vote(request: HttpRequest, pk: int) -> HttpResponse:
    """Save a vote. The topic follows it, and all pages fetch the bars: nothing is swapped here."""
    user = get_object_or_404(get_user_model(), pk=request.user.pk)
    option = get_object_or_404(Option, pk=request.POST.get("option", ""), poll=pk)
    Vote.objects.update_or_create(poll_id=pk, user=user, defaults={"option": option})
    return HttpResponse(status=204)


def shown(request: HttpRequest, template: str, pk: int) -> HttpResponse:
    poll = get_object_or_404(Poll, pk=pk)
    return render(request, template, {"poll": poll, "topic": PollTopic(pk).address, **PollTopic(pk).state()})
