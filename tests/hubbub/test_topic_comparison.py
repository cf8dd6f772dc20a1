"""Positions of topics compared with the record: lost notices are found, at the cost of what changed."""

import time
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command

from hubbub import conf, publish
from hubbub.models import TopicPosition
from hubbub.topics import positions, reading, recovery
from hubbub.topics.recovery import Comparison
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.trials import ShelfTopic
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))


@pytest.fixture
def often(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.3}


@pytest.fixture
def read_groups(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The groups of each read of positions."""
    reads: list[set[str]] = []
    read = reading.read_positions

    def note(find: Any, groups: Any) -> Any:
        reads.append({*groups})
        return read(find, groups)

    monkeypatch.setattr(recovery.reading, "read_positions", note)
    return reads


@pytest.mark.usefixtures("often")
async def test_a_change_whose_notice_is_lost_is_found(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(alice, TrialConsumer) as page:
        joined = await page.ask("join", topic="shelf/1")
        monkeypatch.setattr(publish, "publish_reached", lambda *_: None)
        await in_thread(Note.objects.create)(board="1", position=1, text="a")
        changed = await page.next("changed")
        assert (changed["state"], changed["position"]) == (["a"], joined["position"] + 1)


@pytest.mark.usefixtures("often")
async def test_a_new_epoch_reaches_open_pages(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page, opened(alice, TrialConsumer) as other:
        joined = await page.ask("join", topic="shelf/1")
        await other.ask("join", topic="board/plan")
        await in_thread(call_command)("renew_epochs", stdout=StringIO())
        changed = await page.next("changed")
        assert (changed["state"], changed["epoch"] != joined["epoch"]) == ([], True)
        assert (await other.next("close"))["reason"] == "Restored"  # A log: its positions are void.


async def test_a_comparison_reads_what_changed_and_all_others_within_a_minute(read_groups: list[set[str]]) -> None:
    comparison = Comparison()
    groups = [ShelfTopic(key).group for key in range(100)]
    assert {*await comparison.read_changed(groups)} == {*groups}
    await in_thread(ShelfTopic(7).changed)()
    read_groups.clear()
    rounds = int(recovery.FULL_SECONDS / conf.settings().reconcile_seconds)
    for _ in range(rounds):
        found = await comparison.read_changed(groups)
        assert found[ShelfTopic(7).group].position == 1
        assert len(found) <= 6
    assert set().union(*read_groups) == {*groups}


async def test_a_comparison_that_failed_is_followed_by_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = Comparison()
    groups = [ShelfTopic(key).group for key in range(100)]
    await comparison.read_changed(groups)
    assert len(await comparison.read_changed(groups)) < 10

    def fail(*_: Any) -> Any:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(positions, "read_changed", fail)
        with pytest.raises(RuntimeError):
            await comparison.read_changed(groups)
    assert {*await comparison.read_changed(groups)} == {*groups}


async def test_a_comparison_after_a_pause_is_of_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed since the last one has no bound."""
    comparison = Comparison()
    groups = [ShelfTopic(key).group for key in range(100)]
    await comparison.read_changed(groups)
    monkeypatch.setattr(comparison, "_read_at", time.monotonic() - recovery.FULL_SECONDS - 1)
    monkeypatch.setattr(positions, "read_changed", None)  # Not called.
    assert {*await comparison.read_changed(groups)} == {*groups}


async def test_a_comparison_finds_a_commit_of_a_longer_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time of change is older than the last comparison."""
    comparison = Comparison()
    groups = [ShelfTopic(key).group for key in range(100)]
    await comparison.read_changed(groups)
    await in_thread(ShelfTopic(99).changed)()
    await in_thread(TopicPosition.objects.filter(address="shelf/99").update)(
        changed_ms=await in_thread(positions.read_clock)("default") - 9_000
    )
    assert (await comparison.read_changed(groups))[ShelfTopic(99).group].position == 1


def test_a_topic_without_changes_is_at_position_0() -> None:
    ShelfTopic(1).changed()
    found = reading.read_positions(recovery.find, ["t:shelf/1", "t:shelf/2", "t:nothing/1"])
    assert {group: recorded.position for group, recorded in found.items()} == {"t:shelf/1": 1, "t:shelf/2": 0}


async def test_a_new_epoch_is_found_by_the_next_comparison_of_all_topics() -> None:
    comparison = Comparison()
    groups = [ShelfTopic(key).group for key in range(100)]
    await comparison.read_changed(groups)
    assert len(await comparison.read_changed(groups)) < 10
    await in_thread(ShelfTopic.renew_epoch)()
    found = await comparison.read_changed(groups)
    assert {*found} == {*groups}
    assert positions.NO_EPOCH not in {recorded.epoch for recorded in found.values()}
