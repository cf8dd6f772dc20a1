"""The case of the page: the room's page in Chromium, slowed as the row says, with a real server and real rooms."""

import contextlib
import subprocess
import sys
from collections.abc import Sequence

from bench import machine
from bench.environment import ROOT, Ground
from bench.load_client import Broken
from bench.page import amounts, chromium, goals
from bench.page.parts import ONCE, PARTS
from bench.page.place import PageServer, Place, rooms
from bench.page.posters import Posters
from bench.scenarios.fanout import Say
from bench.stats import Table, short
from hubbub.supervisor import private_redis

PREPARE_SECONDS = 300


def page(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """All rows, in at most `amounts.MAX_ROUNDS` rounds. `only`: parts by name; it may name sides of other cases."""
    table = Table("page", "The room's page in Chromium", "value", goals.empty_rows())
    if (command := chromium.missing()) is not None:
        say(f"  left out; to install it: {command}")
        return table
    _prepare(ground)
    chosen = [name for name in PARTS if name in only] or [*PARTS]
    rounds = min(rounds, amounts.MAX_ROUNDS)
    for number in range(rounds):
        with contextlib.ExitStack() as stack:
            side = PageServer(ground)
            stack.callback(side.stop)
            side.start()
            browser = stack.enter_context(chromium.running())
            posters = Posters(side)
            stack.callback(posters.close)
            place = Place(browser, side, posters, number)
            for name in chosen if number == 0 else [name for name in chosen if name not in ONCE]:
                _add_others(table)
                say(f"  round {number + 1} of {rounds}, {name}: {_measure(table, place, name)}")
    return table


def _add_others(table: Table) -> None:
    """Note the share of the machine that others use before a part: the pages of the last one are closed."""
    if (row := table.row(goals.BESIDE)) is not None:
        row.add(value=machine.busy_share() * 100)


def _measure(table: Table, place: Place, name: str) -> str:
    """Add a sample to each row of the part; the figures in a line."""
    from playwright.sync_api import Error

    part, names = PARTS[name]
    try:
        found = part(place)
    except (Broken, Error, OSError) as problem:
        if (row := table.row(names[0])) is not None:
            row.problems.append(str(problem))
        return f"does not count: {problem}"
    for row in table.rows:
        if row.name in found:
            row.add(value=found[row.name])
    return ", ".join(f"{row} {short(value)}" for row, value in found.items())


def _prepare(ground: Ground) -> None:
    with private_redis.running(redis := ground.redis_socket("prepare")):
        command = [sys.executable, "-m", "bench.prepare_page", *(f"{slug}={n}" for slug, n in rooms().items())]
        environ = ground.environ(redis, DJANGO_SETTINGS_MODULE="project.settings")
        ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PREPARE_SECONDS)
    if ran.returncode:
        raise RuntimeError(f"the rooms could not be made: {ran.stderr[-2000:]}")
