"""The case of lists: it reports what is lost, and it measures the real thing."""

import json

import pytest

from bench import machine
from bench.environment import prepared
from bench.load_client import Broken
from bench.scenarios import watch
from bench.scenarios.watch import Watched


def frame(kind: str, *rooms: tuple[str, int]) -> bytes:
    items = [{"slug": slug, "last_seq": seq} for slug, seq in rooms]
    return json.dumps({"type": kind, "topic": "rooms", "items": items}).encode()


def test_each_post_is_waited_for_also_those_of_one_frame() -> None:
    watched = Watched(sent={("a", 5): 1.0, ("a", 6): 1.5, ("b", 1): 2.0}, seen=[{"a": 4}])
    watched.take(0, frame("moved", ("a", 6)), now=2.0)
    watched.take(0, frame("moved", ("a", 6), ("b", 1)), now=3.0)
    assert watched.waits == [1.0, 0.5, 1.0]
    assert watched.frames == 2


def test_other_frames_are_reported() -> None:
    with pytest.raises(Broken, match="a watcher got"):
        Watched(seen=[{}]).take(0, frame("message.posted"), now=1.0)


@pytest.mark.soak
@pytest.mark.cluster
def test_lists_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SOCKETS", 20), ("ROOMS", 12), ("ROOMS_EACH", 4), ("SECONDS", 3.0), ("LAST_SECONDS", 2.0)):
        monkeypatch.setattr(watch, name, value)
    machine.raise_descriptor_limit()
    with prepared() as ground:
        table = watch.watch(ground, 1, lambda _: None)
    quiet, watching, difference = table.rows
    assert [row.name for row in table.rows] == ["quiet", "watching", "difference"]
    assert all(row.problems == [] for row in table.rows)
    assert 0 < watching.median("p99_ms") < 5_000
    assert 0 < watching.median("frames") <= 1.5  # About one a second, however many posts there are.
    assert quiet.median("core") > 0
    assert difference.samples["core"]
