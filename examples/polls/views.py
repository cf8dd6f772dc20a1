from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from polls.models import Poll


@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "polls/detail.html", {"poll": get_object_or_404(Poll, pk=pk)})
