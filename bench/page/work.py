"""What messages cost a page: the work for one, a busy minute, and the memory that an hour leaves."""

import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

from bench.load_client import Broken
from bench.page import amounts
from bench.page.chromium import Reader
from bench.page.place import Figures, Place, wait_for_last

OWN = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def event(place: Place) -> Figures:
    """Messages that come one at a time to a page with about 600."""
    slug = place.room("long")
    with place.reader(3) as reader:
        reader.open(slug)
        reader.ready()
        has = reader.probe("fill", amounts.ROWS - 2 * amounts.EVENTS - 30)
        place.posters.run(slug, 1_000, max(0, amounts.ROWS - 2 * amounts.EVENTS - has), 50)
        time.sleep(2)
        fast = [_cost(place, reader, slug, 2_000 + number) for number in range(amounts.EVENTS)]
        reader.throttle(amounts.SLOWER)
        time.sleep(1)
        slow = [_cost(place, reader, slug, 3_000 + number) for number in range(amounts.EVENTS)]
        rows = reader.probe("rows")
    if rows < amounts.ROWS * 0.9:
        raise Broken(f"the page keeps {rows} messages, not about {amounts.ROWS}")
    return {
        "event": statistics.median(cost.own for cost in slow) * 1000,
        "event-task": statistics.median(cost.task for cost in slow) * 1000,
        "event-cpu": statistics.median(cost.cpu for cost in fast) * 1000,
    }


class Cost(NamedTuple):
    """Seconds of the main thread: script, style and layout; all tasks; and its CPU time."""

    own: float
    task: float
    cpu: float


def _cost(place: Place, reader: Reader, slug: str, number: int) -> Cost:
    """What one message costs a page, with all that follows from it."""
    before = reader.metrics()
    place.posters.run(slug, number, 1, 1)
    time.sleep(amounts.REST_SECONDS)
    after = reader.metrics()
    if not reader.page.locator("article.message", has_text=f"{slug} line {number}").count():
        raise Broken("a message did not show in time")
    spent = {name: after[name] - before[name] for name in (*OWN, "TaskDuration", "ThreadTime")}
    return Cost(sum(spent[name] for name in OWN), spent["TaskDuration"], spent["ThreadTime"])


def minute(place: Place) -> Figures:
    """A busy room on a slow device."""
    slug = place.room("busy")
    with place.reader(4) as reader:
        reader.open(slug)
        reader.ready()
        reader.throttle(amounts.SLOWER)
        time.sleep(2)
        reader.probe("startFrames")
        time.sleep(amounts.IDLE_SECONDS)
        idle = reader.probe("stopFrames")
        time.sleep(amounts.REST_SECONDS)
        before = reader.metrics()
        reader.probe("startFrames")
        count = int(amounts.MINUTE_SECONDS * amounts.PER_SECOND)
        place.posters.run(slug, 1_000, count, amounts.PER_SECOND)
        found = reader.probe("stopFrames")
        busy = reader.metrics()["TaskDuration"] - before["TaskDuration"]
        wait_for_last(reader, f"{slug} line {999 + count}")
    return {
        "minute-longest": found["longest"],
        "minute-dropped": _dropped(found),
        "minute-idle": _dropped(idle),
        "minute-busy": busy / amounts.MINUTE_SECONDS * 100,
    }


def _dropped(found: Mapping[str, float]) -> float:
    """The share of frames that were not shown, in %."""
    return found["dropped"] / max(1, found["dropped"] + found["frames"]) * 100


def heap(place: Place) -> Figures:
    """What an hour of ten messages a second leaves in a page that shows the end of the room."""
    slug = place.room("hour")
    with place.reader(5) as reader:
        reader.open(slug)
        reader.ready()
        connection = reader.page.evaluate("document.documentElement.dataset.connection")
        _fill(place, reader, slug, 1_000, amounts.HEAP_FIRST)
        rows = reader.probe("rows")
        before = reader.heap_bytes()
        end = 1_000 + amounts.HEAP_FIRST + amounts.HOUR_MESSAGES
        _fill(place, reader, slug, 1_000 + amounts.HEAP_FIRST, amounts.HOUR_MESSAGES)
        _bring_rows(place, reader, slug, end, rows)
        after = reader.heap_bytes()
        if reader.page.evaluate("document.documentElement.dataset.connection") != connection:
            raise Broken("the page lost its connection: it has not had each message")
    return {"heap-before": before / 2**20, "heap-growth": (after - before) / 2**20}


def _fill(place: Place, reader: Reader, slug: str, first: int, count: int) -> None:
    """Post so many messages, no more ahead of the page than it can take: the server gives up a slow reader."""
    for start in range(first, first + count, amounts.AT_ONCE):
        part = min(amounts.AT_ONCE, first + count - start)
        place.posters.run(slug, start, part, amounts.HOUR_PER_SECOND)
        reader.begin("arrives", f"{slug} line {start + part - 1}")
        reader.ended("arrives")


def _bring_rows(place: Place, reader: Reader, slug: str, first: int, rows: int) -> None:
    """Post until the page has as many messages as before: it forgets the oldest only when it has many too many."""
    for number in range(first, first + amounts.MAX_MORE):
        if reader.probe("rows") == rows:
            return
        _fill(place, reader, slug, number, 1)
    raise Broken(f"the page never has {rows} messages again")
