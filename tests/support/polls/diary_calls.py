"""Calls of the command of diaries that has a batch, without a socket."""

from typing import Any

from hubbub.protocol import Refused, from_json
from hubbub.topics import batch_calls
from hubbub.topics.batch_calls import Call
from tests.support.polls.diaries import DiaryTopic
from tests.support.polls.models import Note

ADD = DiaryTopic.commands["page.add"]


def call_of(user: Any, slug: str, text: str, size: int = 0) -> Call:
    topic = DiaryTopic(slug)
    arguments: Any = ADD.arguments(ref=0, topic=topic.address, text=text, size=size)  # type: ignore[call-arg]
    return Call(topic, str(user.pk), None, arguments)


def outcome(result: Any) -> object:
    """The code of a refusal, or the position of a page."""
    return result.code if isinstance(result, Refused) else from_json(result)["position"]


def run(*calls: Call) -> list[object]:
    """The outcomes of the calls as one batch."""
    return [outcome(result) for result in batch_calls.run(ADD, calls)]


def pages(slug: str) -> list[str]:
    return [*Note.objects.filter(board=f"diary-{slug}").order_by("position").values_list("text", flat=True)]
