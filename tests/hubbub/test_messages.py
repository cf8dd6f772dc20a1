"""Messages over Redis are decoded into typed structs, or dropped and logged once."""

import asyncio
import struct
from typing import Any

import msgpack
import msgspec
import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer

from hubbub import site
from hubbub.delivery.hub import Hub
from hubbub.delivery.out_of_order import MAX_FRAMES
from hubbub.process.metrics import COUNTERS
from hubbub.publish import USERS_GROUP, messages
from hubbub.publish.messages import LastFrame, OneFrame, Recheck, SeveralFrames, Undecodable, decode, encode, to_dict
from hubbub.runtime import Runtime
from tests.support.hubs import GROUP, Truth, confirmed, live_member, send, until

FRAME = {"type": "hubbub.frame", "group": GROUP, "text": "stray"}

STRAYS: dict[str, Any] = {
    "garbage": b"\xc1\x00garbage",
    "nothing": b"",
    "a number": msgpack.packb(5),
    "a list": msgpack.packb([FRAME]),
    "a list in a list, very deep": b"\x91" * 200_000,
    "no type": msgpack.packb({"group": GROUP, "text": 5}),
    "the text a number": msgpack.packb(FRAME | {"text": 5}),
    "the text bytes": msgpack.packb(FRAME | {"text": b"x"}),
    "the text null": msgpack.packb(FRAME | {"text": None}),
    "the text no UTF-8": msgpack.packb(FRAME).replace(b"stray", b"st\xffay"),
    "the text too long": msgpack.packb(FRAME | {"text": "x" * (messages.MAX_TEXT_CHARS + 1)}),
    "the group a number": msgpack.packb(FRAME | {"group": 5}),
    "the group too long": msgpack.packb(FRAME | {"group": "g" * 1000}),
    "another release's type": msgpack.packb(FRAME | {"type": "hubbub.poll"}),
    "another release's field": msgpack.packb(FRAME | {"colour": "red"}),
    "a position below nothing": msgpack.packb(FRAME | {"position": -1}),
    "a position past every database": msgpack.packb(FRAME | {"position": 2**64 - 1}),
    "a position that is no whole number": msgpack.packb(FRAME | {"position": 1.5}),
    "a position that is no number": msgpack.packb(FRAME | {"position": struct.pack(">d", 1.0)}),
    "a version below nothing": msgpack.packb(FRAME | {"version": -1}),
    "a version that is text": msgpack.packb(FRAME | {"version": "7"}),
    "frames that are none": msgpack.packb({"type": "hubbub.frames", "group": GROUP, "frames": 7}),
    "frames without positions": msgpack.packb({"type": "hubbub.frames", "group": GROUP, "frames": ["a", "b"]}),
    "frames in another order": msgpack.packb({"type": "hubbub.frames", "group": GROUP, "frames": [["a", 1]]}),
    "an end for nobody we know": msgpack.packb({"type": "hubbub.end", "group": GROUP, "text": "", "evicted": "?"}),
    "an end for a float": msgpack.packb({"type": "hubbub.end", "group": GROUP, "text": "", "evicted": [1.5]}),
    "users that are none": msgpack.packb({"type": "hubbub.recheck", "group": USERS_GROUP, "recheck": 5}),
    "no users": msgpack.packb({"type": "hubbub.recheck", "group": USERS_GROUP}),
    "a frame for the group of users": msgpack.packb(FRAME | {"group": USERS_GROUP}),
    "a frame for a group that nobody is in": msgpack.packb(FRAME | {"group": "room.nowhere"}),
}


async def put_on_redis(payload: bytes, group: str = GROUP) -> None:
    """As `redis-cli PUBLISH` would."""
    layer = get_channel_layer()._get_layer()
    name = layer._get_group_channel_name(group)
    await layer._get_shard(name).publish(name, site.current().mark + payload)


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS.keys())
async def test_a_stray_message_is_dropped_and_the_room_goes_on(runtime: Runtime, truth: Truth, stray: bytes) -> None:
    hub, recheck = runtime.hub, runtime.revocation.sockets.recheck
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    asked = recheck.requests
    await put_on_redis(stray)
    await send(1)
    await put_on_redis(stray)
    await send(2)
    await until(lambda: "#2" in listener.got)
    assert [text for text in listener.got if text != "probe"] == ["#1", "#2"]
    assert recheck.requests == asked


async def test_a_thousand_stray_messages_are_one_line_of_the_log_and_are_counted(
    hub: Hub, truth: Truth, caplog: pytest.LogCaptureFixture
) -> None:
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    before = COUNTERS.dropped_messages
    for number in range(1000):
        await put_on_redis(msgpack.packb({"group": GROUP, "text": number, "note\n" * 10_000: ""}))
    await send(1)
    await until(lambda: "#1" in listener.got)
    assert COUNTERS.dropped_messages - before == 1000
    [line] = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert len(line) < 400
    assert "\n" not in line


async def test_an_unknown_position_is_dropped_after_few_reads(
    hub: Hub, truth: Truth, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"GAP_MS": 5}
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    await send(2**62, text="stray")
    await until(lambda: len(truth.reads) >= 1)
    truth.position = 2
    await send(1)
    await send(2)
    await until(lambda: "#2" in listener.got)
    reads = len(truth.reads)
    await asyncio.sleep(0.3)
    assert len(truth.reads) == reads <= 2
    assert "stray" not in "".join(listener.got)
    assert "is not on record" in caplog.text


@pytest.mark.slow
async def test_frames_behind_a_missing_position_are_bounded_and_complete(hub: Hub, truth: Truth, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"GAP_MS": 100}
    listener, _ = await live_member(hub, truth)
    await confirmed(hub, listener)
    truth.position = MAX_FRAMES + 500
    truth.at_a_time = 100_000
    group = hub._subscriptions[GROUP].group
    for at in range(2, truth.position + 1):
        group.receive(f"#{at}", at, None)
    assert len(group.sequence.out_of_order) == MAX_FRAMES
    await until(lambda: f"#{truth.position}" in listener.got, 10)
    assert len(group.sequence.out_of_order) == 0
    assert [text for text in listener.got if text != "probe"] == [f"#{at}" for at in range(1, truth.position + 1)]


async def test_unsendable_text_does_not_block_the_queue(hub: Hub) -> None:
    """Channels' in-memory layer carries any text, a lone surrogate as well."""
    listener, _ = await live_member(hub)
    group = hub._subscriptions[GROUP].group
    group.receive("\ud800", None, None)
    with pytest.raises(UnicodeEncodeError):
        group.flush()
    group.receive("after", None, None)
    await until(lambda: listener.got == ["after"])


MESSAGES = [
    OneFrame(GROUP, "text"),
    OneFrame(GROUP, "text", position=2**63 - 1),
    OneFrame(GROUP, "text", version=7),
    SeveralFrames(GROUP, [(1, "a"), (2, "b")]),
    LastFrame(GROUP, "bye", ["1", "2"]),
    LastFrame(GROUP, "bye", "all"),
    Recheck(USERS_GROUP, ["3"]),
    Recheck(USERS_GROUP, "all"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_a_message_arrives_as_it_was_sent_over_redis_and_over_any_other_layer(message: Any) -> None:
    assert decode(encode(message)) == message
    # As channels_redis itself reads it, and as the in-memory layer carries it.
    assert decode(msgpack.unpackb(encode(message))) == message
    assert decode(to_dict(message)) == message


def test_a_frame_that_is_too_big_for_any_process_is_not_sent() -> None:
    with pytest.raises(Undecodable):
        encode(OneFrame(GROUP, "x" * (messages.MAX_TEXT_CHARS + 1)))
    with pytest.raises(Undecodable):
        encode(SeveralFrames(GROUP, [(1, "x" * messages.MAX_TEXT_CHARS)] * 20))


async def test_the_in_memory_layer_carries_frames_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = InMemoryChannelLayer()
    monkeypatch.setattr("hubbub.delivery.hub.get_channel_layer", lambda: layer)
    monkeypatch.setattr("hubbub.publish.sender.get_channel_layer", lambda: layer)
    hub = Hub()
    try:
        listener, _ = await live_member(hub)
        await layer.group_send(GROUP, {"type": "hubbub.frame", "group": GROUP, "text": 5})
        await layer.group_send(GROUP, to_dict(OneFrame(GROUP, "fine")))
        await until(lambda: listener.got == ["fine"])
    finally:
        await hub.close()


def test_fields_are_named_as_a_message_of_the_wire_is() -> None:
    assert msgspec.msgpack.decode(encode(OneFrame(GROUP, "text", 4))) == {
        "type": "hubbub.frame",
        "group": GROUP,
        "text": "text",
        "position": 4,
    }
