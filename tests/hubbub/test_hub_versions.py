"""Groups with versions: members get only newer states, and always the newest."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub.delivery.hub import Hub
from hubbub.delivery.layer import RedisPubSubLayer
from hubbub.process.pacing import WRITES_PER_TURN
from hubbub.publish import newest, process_sender, publish
from hubbub.supervisor import private_redis
from tests.support.hubs import GROUP, Listener, confirmed, live_member, send, until


def shown(listener: Listener) -> list[str]:
    return [text for text in listener._latest.values() if text != "probe"]


async def test_version_1_is_not_sent_to_a_socket_that_was_told_state_2(hub: Hub) -> None:
    listener, _ = await live_member(hub, position=2)
    await confirmed(hub, listener)
    for version in (1, 2):
        await send(text=f"state {version}", version=version)
    await send(text="event")
    await until(lambda: "event" in listener.got)
    assert shown(listener) == []
    await send(text="state 3", version=3)
    await until(lambda: shown(listener) == ["state 3"])


async def test_a_member_with_an_older_state_gets_the_newer_one(hub: Hub) -> None:
    """The first has read state 2; its frame is still on the way to the second, who has read state 1."""
    ahead, _ = await live_member(hub, position=2)
    behind, _ = await live_member(hub, position=1)
    fresh = Listener()
    hub.go_live(GROUP, await hub.join(GROUP, fresh))  # It was told no state at all.
    await confirmed(hub, ahead, behind, fresh)
    await send(text="state 2", version=2)
    await until(lambda: shown(behind) == shown(fresh) == ["state 2"])
    await send(text="event")
    await until(lambda: "event" in ahead.got)
    assert shown(ahead) == []
    await send(text="state 3", version=3)
    await until(lambda: shown(ahead) == shown(behind) == shown(fresh) == ["state 3"])


async def test_a_state_from_during_the_join_is_sent_only_if_newer(hub: Hub) -> None:
    first, _ = await live_member(hub, position=0)
    await confirmed(hub, first)
    joining = Listener()
    member = await hub.join(GROUP, joining)
    for version in (1, 2, 3):
        await send(text=f"state {version}", version=version)
        await until(lambda version=version: shown(first) == [f"state {version}"])  # type: ignore[misc]
    hub.go_live(GROUP, member, 2)
    assert joining.got == ["state 3"]


async def test_a_state_sent_in_slices_skips_members_that_have_it(hub: Hub) -> None:
    members = [await live_member(hub, position=1) for _ in range(WRITES_PER_TURN + 200)]
    await confirmed(hub, members[0][0])
    await send(text="state 2", version=2)
    await until(lambda: shown(members[0][0]) == ["state 2"])
    late, _ = await live_member(hub, position=2)
    await until(lambda: all(shown(member) == ["state 2"] for member, _ in members))
    assert shown(late) == []


# Published while Redis is away


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "away.sock"


@pytest.mark.slow
async def test_a_version_frame_published_while_redis_is_away_is_shown_when_it_is_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = RedisPubSubLayer(hosts=[{"address": f"unix://{path}", "socket_timeout": 1.0}])
    monkeypatch.setattr("hubbub.delivery.hub.get_channel_layer", lambda: layer)
    monkeypatch.setattr("hubbub.publish.sender.get_channel_layer", lambda: layer)
    monkeypatch.setattr(process_sender, "_current", None)
    process_sender.send_from(asyncio.get_running_loop())
    hub = Hub()
    try:
        with private_redis.running(path):
            listener, _ = await live_member(hub, position=0)
            other, _ = await live_member(hub, position=0, group="room.other")
            await until(lambda: hub.is_active(GROUP) and hub.is_active("room.other"))
            publish(GROUP, "state 1", version=1)
            await until(lambda: shown(listener) == ["state 1"])
        for version in (2, 3):
            publish(GROUP, f"state {version}", version=version)
            publish("room.other", f"other {version}", version=version)
            await asyncio.sleep(0.1)
        publish(GROUP, "event")
        await asyncio.sleep(1.5)  # It has been tried again by then, in vain.
        assert shown(listener) == ["state 1"]
        with private_redis.running(path):
            await until(lambda: shown(listener) == ["state 3"] and shown(other) == ["other 3"], 8)
            publish(GROUP, "state 4", version=4)
            await until(lambda: shown(listener) == ["state 4"])
            assert listener.got == []
            current = process_sender._current
            assert current is not None
            await until(lambda: not current._newest.is_in_use, newest.SETTLE_SECONDS + 3)
    finally:
        await hub.close()
        await layer.flush()


async def test_the_queue_for_a_redis_that_is_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[Any] = []
    newest_frames = newest.Newest(asyncio.get_running_loop(), again.extend)
    newest_frames.lost(
        [newest.OneFrame(f"room.{number}", "state", version=number) for number in range(newest.MAX_GROUPS + 50)]
    )
    newest_frames.lost([newest.OneFrame("room.60", "older", version=1)])
    assert len(newest_frames._frames) == newest.MAX_GROUPS
    assert newest_frames._frames["room.60"].text == "state"
    newest_frames.lost([newest.OneFrame(f"room.{number}", "x" * (1 << 20), version=2000) for number in range(8)])
    assert newest_frames._chars <= newest.MAX_CHARS
    assert sum(len(frame.text) for frame in newest_frames._frames.values()) == newest_frames._chars
    assert newest_frames._timer is not None
    newest_frames._timer.cancel()


def test_the_layer_of_these_tests_is_the_real_one() -> None:
    assert "REDIS_URL" in os.environ
    assert isinstance(get_channel_layer(), RedisPubSubLayer)
