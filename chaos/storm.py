"""A storm: people talk on a site of their own while one fault after another is made; then all is compared.

Says each fault in a line as it goes, and at the end what was lost, and how long each recovery took.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

import psutil

from chaos.checking import Report
from chaos.crowd import READERS, ROOMS, WRITERS, Party
from chaos.faults import FAULTS, Ground
from chaos.site import Site

CALM_SECONDS = (0.5, 4.0)  # Between being whole again and the next fault.
WHOLE_SECONDS = 60.0
SHOWN_BREACHES = 30
SHOWN_COMPLAINTS = 20
COMPLAINT = re.compile(r"\b(WARNING|ERROR|CRITICAL|\w+Error)\b")

Say = Callable[[str], None]


@dataclass(slots=True)
class Made:
    """A fault that was made. `whole_after`: seconds from its end until everybody had all; None: not within a minute.

    `clients_back`: how long each client that lost its socket was away. `late`: from a message's acknowledgement, since
    the fault began, until the last one had it.
    """

    kind: str
    whole_after: float | None
    clients_back: list[float]
    late: float


@dataclass(slots=True)
class Outcome:
    made: list[Made] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    tracebacks: int = 0
    # What the servers logged as wrong, in the order it came.
    complaints: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return self.report.is_whole and not self.report.unanswered


async def run(*, seconds: float, processes: int, seed: int, stop: asyncio.Event, say: Say) -> Outcome:
    """Break a new site for so long, or until `stop` is set. SiteFailed when it does not start."""
    outcome = Outcome()
    random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site(processes))
        each = WRITERS + READERS
        names = [f"{room}-{number}" for room in ROOMS for number in range(1, each + 1)]
        tokens = await site.prepare(ROOMS, names)
        parties = [
            await stack.enter_async_context(Party(site, room, tokens[index * each : (index + 1) * each], random))
            for index, room in enumerate(ROOMS)
        ]
        people = [person for party in parties for person in party.people]
        say(f"{len(people)} people in {len(ROOMS)} rooms at {site.url}, {processes} processes, seed {seed}")
        await _break(Ground(site, people, random, stop), parties, seconds, outcome, say)
        say("Calm: waiting for the last answers, and comparing with the database …")
        for report in await asyncio.gather(*(party.finish() for party in parties)):
            outcome.report.add(report)
        outcome.tracebacks = sum("Traceback (most recent call last)" in line for line in site.lines)
        outcome.complaints = [line for line in site.lines if COMPLAINT.search(line)]
    return outcome


async def _break(ground: Ground, parties: Sequence[Party], seconds: float, outcome: Outcome, say: Say) -> None:
    started = time.monotonic()
    kinds: list[str] = []
    while not await _wait(ground.stop, ground.random.uniform(*CALM_SECONDS)):
        if time.monotonic() - started >= seconds:
            return
        if not kinds:  # Each once, in any order, before one comes again.
            kinds = ground.random.sample(list(FAULTS), len(FAULTS))
        kind = kinds.pop()
        begun = time.monotonic()
        try:
            what = await FAULTS[kind](ground)
        except (TimeoutError, psutil.NoSuchProcess):
            say(f"{_clock(begun - started)}  {kind:<28} not made: there was nothing to break just then")
            continue
        ended = time.monotonic()
        whole_after = await _until_whole(parties, ended)
        back = [one.seconds for party in parties for one in party.recoveries_since(begun)]
        late = max((one for party in parties for one in party.delays_since(begun)), default=0.0)
        outcome.made.append(Made(kind, whole_after, back, late))
        took = (
            f"whole after {whole_after:5.2f} s" if whole_after is not None else f"NOT WHOLE after {WHOLE_SECONDS:g} s"
        )
        returned = f"; {len(back)} clients came back, the last after {max(back):.2f} s" if back else ""
        say(f"{_clock(begun - started)}  {kind:<28} {what:<16} {took}; messages late by {late:.2f} s{returned}")


async def _until_whole(parties: Sequence[Party], since: float) -> float | None:
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            await asyncio.gather(*(party.wait_until_whole(since) for party in parties))
    except TimeoutError:
        return None
    return time.monotonic() - since


def table(outcome: Outcome) -> list[str]:
    """The end of the story, in lines."""
    head = (
        f"{'fault':<28} {'times':>5}   {'whole again: p50':>16} {'max':>7}   "
        f"{'clients back: p50':>17} {'max':>7}   {'message late: max':>17}"
    )
    lines = ["", head, "-" * len(head)]
    for kind in FAULTS:
        made = [one for one in outcome.made if one.kind == kind]
        if not made:
            continue
        whole = [WHOLE_SECONDS if one.whole_after is None else one.whole_after for one in made]
        back = [one for each in made for one in each.clients_back]
        lines.append(
            f"{kind:<28} {len(made):>5}   {_p50(whole):>16} {_most(whole):>7}   "
            f"{_p50(back):>17} {_most(back):>7}   {_most([one.late for one in made]):>17}"
        )
    report = outcome.report
    lines += [
        "",
        f"{report.acknowledged} commands acknowledged, {report.saved} messages saved, "
        f"{report.delivered} copies compared at {(WRITERS + READERS) * len(ROOMS)} clients",
        f"lost {len(report.of('lost'))}, duplicated {len(report.of('duplicated'))}, "
        f"out of order {len(report.of('disordered'))}, from nowhere {len(report.of('invented'))}, "
        f"unanswered {report.unanswered}",
    ]
    lines += [f"  {one.kind}: {one.text}" for one in report.breaches[:SHOWN_BREACHES]]
    if len(report.breaches) > SHOWN_BREACHES:
        lines.append(f"  … and {len(report.breaches) - SHOWN_BREACHES} more")
    if not outcome.is_whole and outcome.complaints:
        lines += [
            "The last complaints of the servers:",
            *(f"  {one}" for one in outcome.complaints[-SHOWN_COMPLAINTS:]),
        ]
    if outcome.tracebacks:
        lines.append(f"The servers logged {outcome.tracebacks} tracebacks.")
    return lines


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def _p50(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s" if values else "-"


def _most(values: list[float]) -> str:
    return f"{max(values):.2f} s" if values else "-"
