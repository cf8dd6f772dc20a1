"""Many topics on one socket, many changes at once, topics of very many users, and a class whose states hang."""

import asyncio
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.handlers.base import BaseHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hubbub.models import TopicPosition
from hubbub.publish.group_names import SHARED_GROUPS, layer_group
from hubbub.runtime import runtime
from hubbub.topics import recovery
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.trials import InboxTopic, ShelfTopic
from tests.support.topic_page import Page, in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any, settings: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))
    settings.HUBBUB = settings.HUBBUB | {"MAX_GROUPS_PER_SOCKET": 10_000, "COMMANDS_PER_SECOND": 100_000}


async def join_all(page: Page, addresses: list[str]) -> None:
    """Join in parts: more are not in flight on one socket."""
    for start in range(0, len(addresses), 30):
        refs = [page.send_frame("join", topic=address) for address in addresses[start : start + 30]]
        answers = [await page.next("ok") for _ in refs]
        assert {answer["ref"] for answer in answers} == {*refs}


async def test_a_thousand_topics_on_one_socket_each_get_their_change(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        await join_all(page, [f"shelf/{key}" for key in range(1000)])
        for key in (0, 500, 999):
            await in_thread(Note.objects.create)(board=str(key), position=1, text=f"for {key}")
            changed = await page.next("changed")
            assert (changed["topic"], changed["state"]) == (f"shelf/{key}", [f"for {key}"])
        assert page.unread() == []


@pytest.mark.database
async def test_a_thousand_changes_in_a_burst_become_few_frames_and_the_last_is_the_newest(alice: Any, bob: Any) -> None:
    def write() -> None:
        for number in range(1000):
            with transaction.atomic():
                Note.objects.filter(board="1").update(text=str(number))
                ShelfTopic(1).changed()

    await in_thread(Note.objects.create)(board="1", position=1, text="first")
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        for each in (page, other):
            assert (await each.ask("join", topic="shelf/1"))["state"] == ["first"]
        began = asyncio.get_running_loop().time()
        await in_thread(write)()
        for each in (page, other):
            frames = [await each.next("changed")]
            while frames[-1]["state"] != ["999"]:
                frames.append(await each.next("changed"))
            positions = [frame["position"] for frame in frames]
            assert positions == sorted(positions)
            # At most one in 50 ms.
            assert len(frames) <= 2 + (asyncio.get_running_loop().time() - began) / 0.05


@pytest.mark.database
async def test_three_states_that_hang_leave_other_topics_handshakes_and_positions_alone(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(self: ShelfTopic) -> Any:
        assert release.wait(20)
        return []

    monkeypatch.setattr(ShelfTopic, "state", hang)
    async with opened(alice, TrialConsumer) as page:
        try:
            for key in range(3):
                page.send_frame("join", topic=f"shelf/{key}")
            async with asyncio.timeout(2), opened(bob, TrialConsumer) as other:
                assert (await other.ask("join", topic="board/plan"))["type"] == "ok"
                assert (await other.ask("note.add", topic="board/plan", id="1", text="tea"))["type"] == "ok"
                assert (await other.next("noted"))["text"] == "tea"
                found = await recovery.comparison().read_all(["t:board/plan"])
                assert found["t:board/plan"].position == 1
        finally:
            release.set()
        for _ in range(3):
            assert (await page.next("ok"))["state"] == []


async def test_topics_of_5000_users_share_few_groups_and_each_gets_its_own_change(alice: Any) -> None:
    inboxes = [InboxTopic(f"{alice.pk}-{number}") for number in range(5000)]
    async with opened(alice, TrialConsumer) as page:
        await join_all(page, [inbox.address for inbox in inboxes])
        assert len({layer_group(name) for name in runtime().hub.groups if name.startswith("u:")}) == SHARED_GROUPS
        for inbox in (inboxes[0], inboxes[2500], inboxes[4999]):
            await in_thread(inbox.tell)({"type": "greeted"})
            assert (await page.next("greeted"))["topic"] == inbox.address
        assert page.unread() == []


@pytest.mark.database
def test_a_view_under_atomic_requests_publishes_after_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    def view(request: HttpRequest) -> HttpResponse:
        Note.objects.create(board="7", position=1, text="tea")
        if "fail" in request.GET:
            raise ValueError
        return HttpResponse()

    atomic_view = BaseHandler().make_view_atomic(view)
    with pytest.raises(ValueError):
        atomic_view(RequestFactory().get("/", {"fail": "1"}))
    assert not TopicPosition.objects.filter(address="shelf/7").exists()
    atomic_view(RequestFactory().get("/"))
    assert TopicPosition.objects.get(address="shelf/7").position == 1
