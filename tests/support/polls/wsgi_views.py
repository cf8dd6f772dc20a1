"""Pages that publish, each in one way, and answer with the id of their process."""

import os
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tests.support.polls.models import Note, Poll
from tests.support.polls.topics import BoardTopic, PollTopic


def page(publish: Callable[..., None]) -> Any:
    @csrf_exempt
    @require_POST
    def view(request: HttpRequest, **of_path: Any) -> HttpResponse:
        publish(request.POST.get("text", ""), **of_path)
        return HttpResponse(os.getpid())

    return view


def save(text: str, pk: int) -> None:
    poll = Poll.objects.get(pk=pk)
    poll.question = text
    poll.save()


def change(text: str, pk: int) -> None:
    Poll.objects.filter(pk=pk).update(question=text)
    PollTopic(pk).changed()


def note(text: str, slug: str) -> None:
    topic = BoardTopic(slug)
    with transaction.atomic():
        saved = Note.objects.create(board=slug, position=topic.next_position(), text=text)
        topic.publish(saved.position, topic.event(saved))


def tell(text: str, slug: str) -> None:
    BoardTopic(slug).tell({"type": "told", "text": text})


def shout(text: str) -> None:
    event = {"type": "shouted", "text": text, "user": None}
    async_to_sync(get_channel_layer().group_send)("shout_square", event)


urlpatterns = [
    path("healthz", lambda _: HttpResponse("ok")),  # The servers of tests are asked for it.
    path("poll/<int:pk>/save/", page(save)),
    path("poll/<int:pk>/change/", page(change)),
    path("board/<slug:slug>/note/", page(note)),
    path("board/<slug:slug>/tell/", page(tell)),
    path("shout/", page(shout)),
    path("", include("project.urls")),
]
