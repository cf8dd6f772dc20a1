"""What the comparison of a process with the table of positions costs: `python -m bench.topics_site.compare`.

The arguments are those of `compare`. Prints milliseconds of each comparison, by the clock and of CPU time, as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import django

HOUR_MS = 3_600_000
ROWS_PER_INSERT = 5_000


def main() -> None:
    rows, opened, changed, count = map(int, sys.argv[1:5])
    django.setup()
    fill(rows)
    print(json.dumps(asyncio.run(compare(opened, changed, count, is_full=sys.argv[5:] == ["full"]))))


def addresses(count: int) -> list[str]:
    return [f"mine/1-{number}" for number in range(count)]


def fill(count: int) -> None:
    """Make rows that changed an hour ago, and no others."""
    from hubbub.models import TopicPosition
    from hubbub.topics import positions

    TopicPosition.objects.all().delete()
    before_ms = positions.read_clock("default") - HOUR_MS
    rows = [TopicPosition(address=address, position=1, changed_ms=before_ms) for address in addresses(count)]
    TopicPosition.objects.bulk_create(rows, ROWS_PER_INSERT)


async def compare(opened: int, changed: int, count: int, *, is_full: bool) -> dict[str, list[float]]:
    """Compare as a process does, `count` times.

    Args:
        opened: topics that are open in this process.
        changed: of these change before each comparison.
        is_full: read the positions of all open topics.
    """
    from bench.topics_site.topics import MineTopic
    from hubbub.topics.recovery import Comparison

    groups = {address: MineTopic(address.partition("/")[2]).group for address in addresses(opened)}
    comparison = Comparison()
    await comparison.read_changed([*groups.values()])  # The first reads everything.
    found: dict[str, list[float]] = {"wall_ms": [], "cpu_ms": []}
    for _ in range(count):
        taken = await asyncio.to_thread(take, addresses(changed))
        wall, cpu = time.perf_counter(), time.process_time()
        read = await (comparison.read_all if is_full else comparison.read_changed)([*groups.values()])
        found["wall_ms"].append((time.perf_counter() - wall) * 1000)
        found["cpu_ms"].append((time.process_time() - cpu) * 1000)
        positions = {address: getattr(read.get(groups[address]), "position", None) for address in taken}
        if positions != taken:
            raise SystemExit("the comparison has not found each change")
    return found


def take(changed: Sequence[str]) -> dict[str, int]:
    """Take the next position of each of these topics."""
    from django.db import transaction

    from hubbub.topics import positions

    with transaction.atomic():
        return positions.take("default", changed)


if __name__ == "__main__":
    main()
