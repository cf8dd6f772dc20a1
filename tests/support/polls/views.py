from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_POST

from tests.support.polls.topics import PollTopic


@require_POST
def vote(request: HttpRequest, pk: int) -> HttpResponse:
    PollTopic(pk).vote(request.user, option=int(request.POST["option"]))
    return HttpResponse("voted")


urlpatterns = [path("poll/<int:pk>/vote/", vote), path("", include("project.urls"))]
