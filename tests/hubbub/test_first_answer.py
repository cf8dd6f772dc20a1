"""What a join would answer, for the HTML of a page: topics of each kind, and the filter for templates."""

from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import transaction
from django.template import Context, Template

from hubbub import Refused
from hubbub.testing import connect
from hubbub.topics import first_answer
from tests.support.polls.models import Note, Option, Poll
from tests.support.polls.topics import BoardTopic, PollTopic, SignTopic, ThermometerTopic
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database, pytest.mark.usefixtures("ended_threads")]


def add_note(text: str) -> None:
    with transaction.atomic():
        Note.objects.create(board="a", position=BoardTopic("a").next_position(), text=text)


def as_json(frame: msgspec.Struct) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(frame))
    return decoded


async def test_a_state_and_a_log_are_as_a_join_brings_them(alice: Any) -> None:
    def make() -> int:
        alice.user_permissions.add(Permission.objects.get(codename="view_poll"))
        poll = Poll.objects.create(question="Tea?")
        Option.objects.create(poll=poll, text="yes")
        return poll.pk

    key = await in_thread(make)()
    first = as_json(await in_thread(first_answer)(PollTopic(key), alice))
    async with connect(PollTopic, key, user=alice) as page:
        assert first["state"] == page.state
        assert (first["topic"], first["complete"]) == (f"poll/{key}", False)
    async with connect(BoardTopic, "a", user=alice) as page:
        await page.add(id="1" * 32, text="hello")
        first = as_json(await in_thread(first_answer)(BoardTopic("a"), alice))
        assert (first["position"], first["state"]) == (1, [{"position": 1, "text": "hello"}])
        assert first["viewer"] == page.viewer == {"name": "alice"}
        assert "ref" not in first or first["ref"] is None


def test_a_position_is_never_above_its_state(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state = BoardTopic.state

    def note_first(topic: BoardTopic) -> Any:
        add_note("meanwhile")
        return state(topic)

    monkeypatch.setattr(BoardTopic, "state", note_first)
    assert as_json(first_answer(BoardTopic("a"), alice))["position"] == 0


def test_newest_states_have_their_version_also_those_of_coroutines(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThermometerTopic, "celsius", 21.5)
    assert as_json(first_answer(ThermometerTopic(), alice))["state"] == {"celsius": 21.5}
    assert as_json(first_answer(SignTopic(), AnonymousUser()))["state"] == {"text": "open until six"}


def test_a_user_who_may_not_join_gets_nothing(alice: Any) -> None:
    for topic, user in ((PollTopic(1), alice), (BoardTopic("a"), AnonymousUser())):
        with pytest.raises(Refused):
            first_answer(topic, user)


def test_no_text_of_a_frame_ends_its_script(alice: Any) -> None:
    text = "</script><!-- & \u2028"
    add_note(text)
    template = Template("""{% load hubbub %}{{ first|frame_script:"first" }}""")
    html = template.render(Context({"first": first_answer(BoardTopic("a"), alice)}))
    start, end = '<script id="first" type="application/json">', "</script>"
    assert html.startswith(start)
    assert html.endswith(end)
    content = html[len(start) : -len(end)]
    assert not {"<", ">", "&"} & {*content}
    assert msgspec.json.decode(content)["state"][0]["text"] == text
    assert template.render(Context({"first": None})) == ""
