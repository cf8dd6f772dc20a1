"""A room's page has in its HTML what a join would answer: safe, as new as it says, and resumed by the join."""

from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chat import background, history, read_signals, reading, services
from chat.models import Room
from chat.topics import RoomTopic
from tests.support.joins import join, post, seqs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database, pytest.mark.usefixtures("plain_static")]

HOSTILE = "</script><script>alert(1)</script><!--<script> & \u2028 ]]> \N{GRINNING FACE} \\u003C"


class Scripts(HTMLParser):
    """The script elements of a page, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.count = 0
        self._open: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "script":
            self.count += 1
            self._open = dict(attrs).get("id", "")

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.texts[self._open] = self.texts.get(self._open, "") + data


def html_of(user: Any, room: Room, method: str = "get") -> str:
    client = Client()
    client.force_login(user)
    response = getattr(client, method)(reverse("chat:room", args=[room.slug]))
    assert response.status_code == 200
    assert "private" in response.headers["Cache-Control"]
    return str(response.text)


def first_of(user: Any, room: Room, name: str = "first-state") -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(Scripts(html_of(user, room)).texts[name])
    return found


def test_the_page_has_what_a_join_answers(alice: Any, bob: Any, mona: Any, attic: Room) -> None:
    for user in (alice, bob):
        post(user, attic, 2)
    services.delete_message(user_id=str(bob.pk), slug="attic", seq=3)
    for user in (alice, mona):
        first = first_of(user, attic)
        answer = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(join(user, attic).frame)))
        assert first == answer
    assert (first["complete"], first["position"], len(first["state"]["messages"])) == (False, 5, 4)
    assert first["viewer"]["manages"]


def test_no_text_ends_the_script_or_begins_one(alice: Any, lounge: Room) -> None:
    plain = Scripts(html_of(alice, lounge)).count
    post(alice, lounge, body=HOSTILE)
    # Past the rules of names: rows of before the rules.
    Room.objects.filter(pk=lounge.pk).update(title=HOSTILE, description=HOSTILE)
    type(alice).objects.filter(pk=alice.pk).update(username="</script><b>")
    html = html_of(alice, lounge)
    scripts = Scripts(html)
    assert scripts.count == plain
    assert "<script>" not in html
    state = msgspec.json.decode(scripts.texts["first-state"])["state"]
    assert state["messages"][0]["body"] == HOSTILE
    assert state["messages"][0]["user"]["name"] == "</script><b>"
    assert state["room"]["title"] == HOSTILE
    listed = msgspec.json.decode(scripts.texts["first-rooms"])["state"]["items"]
    assert HOSTILE in [room["title"] for room in listed]


def test_the_join_brings_what_changed_since_and_nothing_twice(alice: Any, bob: Any, lounge: Room) -> None:
    post(bob, lounge, 3)
    first = first_of(alice, lounge)
    known = {"after": first["position"], "epoch": first["epoch"]}
    assert join(alice, lounge, **known).events == []
    post(bob, lounge, 2)
    services.edit_message(user_id=str(bob.pk), slug="lounge", seq=1, body="edited")
    services.change_room(room_id=lounge.pk, title="Salon")
    joined = join(alice, lounge, **known)
    assert joined.complete
    assert seqs(joined) == [4, 5, 1]
    assert joined.events[-1]["changes"]["title"] == "Salon"


def test_a_page_of_another_epoch_or_too_old_gets_the_whole_state(alice: Any, lounge: Room, settings: Any) -> None:
    settings.CHAT = {**getattr(settings, "CHAT", {}), "RESUME_CHANGES": 100}
    post(alice, lounge)
    first = first_of(alice, lounge)
    known = {"after": first["position"], "epoch": first["epoch"]}
    post(alice, lounge, 101)
    joined = join(alice, lounge, **known)
    assert (joined.complete, joined.epoch, joined.position) == (False, first["epoch"], 102)
    services.renew_epochs()
    assert not join(alice, lounge, after=102, epoch=first["epoch"]).complete


def test_a_change_while_the_page_is_made_is_left_to_the_join(
    alice: Any, bob: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(bob, lounge, 3)
    read = history.latest_page

    def change_meanwhile(*args: Any) -> Any:
        services.edit_message(user_id=str(bob.pk), slug="lounge", seq=2, body="changed")
        post(bob, lounge)
        return read(*args)

    with monkeypatch.context() as patched:
        patched.setattr(history, "latest_page", change_meanwhile)
        first = first_of(alice, lounge)
    assert (first["position"], [message["seq"] for message in first["state"]["messages"]]) == (3, [1, 3])
    assert seqs(join(alice, lounge, after=3, epoch=first["epoch"])) == [2, 4]


def test_a_user_who_lost_the_room_meanwhile_gets_a_page_without_it(
    alice: Any, attic: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(alice, attic, body="a secret")
    enter = RoomTopic.enter

    def remove_first(topic: RoomTopic, identity: Any) -> Any:
        services.remove_membership(room_id=attic.pk, user_id=str(alice.pk))
        return enter(topic, identity)

    monkeypatch.setattr(RoomTopic, "enter", remove_first)
    html = html_of(alice, attic)
    assert "first-state" not in html
    assert "a secret" not in html


def test_a_room_is_entered_by_its_page(alice: Any, bob: Any, lounge: Room) -> None:
    read_signals.take_entries()
    post(bob, lounge, 2)
    html_of(alice, lounge, "head")
    assert read_signals.take_entries() == {}
    viewer = first_of(alice, lounge)["viewer"]
    assert (viewer["read_seq"], viewer["read_version"]) == (2, 0)
    post(bob, lounge)
    background.work()
    # What came after the page was not seen.
    assert join(alice, lounge).viewer.read_seq == 2
    assert reading.unread_of(str(alice.pk)) == {lounge.pk: 1}


def test_the_page_has_the_lists_as_their_joins_answer(alice: Any, bob: Any, lounge: Room, attic: Room) -> None:
    post(bob, attic, 2)
    reading.prefer(str(alice.pk), "lounge", favourite=True)
    rooms = first_of(alice, attic, "first-rooms")
    assert (rooms["topic"], rooms["epoch"], rooms["position"], rooms["state"]["more"]) == ("rooms", "0", 0, False)
    listed = {room["slug"]: room["last_seq"] for room in rooms["state"]["items"]}
    assert (listed["lounge"], listed["attic"]) == (0, 2)
    person = first_of(alice, attic, "first-person")
    assert person["topic"] == f"person/{alice.pk}"
    assert person["state"]["rooms"]["lounge"] == {"favourite": True}
    assert "attic" not in str(first_of(bob, lounge, "first-person")["state"])


def test_the_queries_of_the_page_do_not_grow(alice: Any, bob: Any, lounge: Room) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            html_of(alice, lounge)
        return len(captured)

    before = queries()
    post(bob, lounge, 30)
    for number in range(20):
        room = services.create_room(slug=f"room-{number}", title="Room")
        post(bob, room)
    assert queries() <= before + 1  # Of last words.
