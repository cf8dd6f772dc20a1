from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from polls.models import Poll
from polls.topics import PollTopic


@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    poll = get_object_or_404(Poll, pk=pk)
    return render(request, "polls/detail.html", {"poll": poll, "topic": PollTopic(pk).address})
