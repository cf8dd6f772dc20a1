"""A storm: clients chat on a site of their own while one fault after another is injected; then all is compared.

Prints one line for each fault and, at the end, a table of recovery times and losses.
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
from chaos.crowd import READERS, ROOMS, WRITERS, RoomClients
from chaos.faults import FAULTS, FaultContext
from chaos.site import Site

PAUSE_SECONDS = (0.5, 4.0)  # From a recovery to the next fault.
RECOVERY_SECONDS = 60.0
MAX_BREACHES_SHOWN = 30
MAX_WARNINGS_SHOWN = 20
SERVER_WARNING = re.compile(r"\b(WARNING|ERROR|CRITICAL|\w+Error)\b")

Say = Callable[[str], None]


@dataclass(slots=True)
class FaultResult:
    """One fault and its effect; all times are seconds.

    Attributes:
        recovered_in: From the end of the fault until every client had all messages; None: longer than
            RECOVERY_SECONDS.
        reconnects: For each client that lost its socket, the time until it had rejoined its room.
        late: The longest time from the acknowledgement of a message, since the fault began, to its last client.
    """

    kind: str
    recovered_in: float | None
    reconnects: list[float]
    late: float


@dataclass(slots=True)
class Outcome:
    """The result of a whole storm."""

    results: list[FaultResult] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    tracebacks: int = 0
    # Warnings and errors that the servers logged, in order.
    server_warnings: list[str] = field(default_factory=list)

    @property
    def is_consistent(self) -> bool:
        return self.report.is_consistent and not self.report.unanswered


async def run(
    *, seconds: float, processes: int, seed: int, stop: asyncio.Event, say: Say, http: bool = False
) -> Outcome:
    """Inject faults into a new site.

    Args:
        seconds: How long faults are injected.
        processes: The number of web processes.
        seed: The seed of the order and kind of faults.
        stop: Ends the faults early when set; the comparison still follows.
        say: Prints a line for the operator.
        http: All clients come by HTTP and server-sent events.

    Raises:
        SiteFailed: The site does not start.
    """
    outcome = Outcome()
    random = Random(seed)  # noqa: S311 - repeatable on purpose, guards nothing
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site(processes))
        each = WRITERS + READERS
        names = [f"{room}-{number}" for room in ROOMS for number in range(1, each + 1)]
        tokens = await site.prepare(ROOMS, names)
        rooms = [
            await stack.enter_async_context(
                RoomClients(site, room, tokens[index * each : (index + 1) * each], random, http=http)
            )
            for index, room in enumerate(ROOMS)
        ]
        clients = [client for room in rooms for client in room.clients]
        say(f"{len(clients)} clients in {len(ROOMS)} rooms at {site.url}, {processes} processes, seed {seed}")
        await _inject_faults(FaultContext(site, clients, random, stop), rooms, seconds, outcome, say)
        say("Faults done: waiting for the last answers, then comparing with the database …")
        for report in await asyncio.gather(*(room.finish() for room in rooms)):
            outcome.report.add(report)
        outcome.tracebacks = sum("Traceback (most recent call last)" in line for line in site.lines)
        outcome.server_warnings = [line for line in site.lines if SERVER_WARNING.search(line)]
    return outcome


async def _inject_faults(
    context: FaultContext, rooms: Sequence[RoomClients], seconds: float, outcome: Outcome, say: Say
) -> None:
    started = time.monotonic()
    kinds: list[str] = []
    while not await _wait(context.stop, context.random.uniform(*PAUSE_SECONDS)):
        if time.monotonic() - started >= seconds:
            return
        if not kinds:  # Each kind once, in random order, before any repeats.
            kinds = context.random.sample(list(FAULTS), len(FAULTS))
        kind = kinds.pop()
        begun = time.monotonic()
        try:
            target = await FAULTS[kind](context)
        except (TimeoutError, psutil.NoSuchProcess):
            say(f"{_clock(begun - started)}  {kind:<28} skipped: no target was running")
            continue
        ended = time.monotonic()
        recovered_in = await _wait_for_recovery(rooms, ended)
        reconnects = [recovery.seconds for room in rooms for recovery in room.recoveries_since(begun)]
        late = max((delay for room in rooms for delay in room.delays_since(begun)), default=0.0)
        outcome.results.append(FaultResult(kind, recovered_in, reconnects, late))
        took = (
            f"recovered in {recovered_in:5.2f} s"
            if recovered_in is not None
            else f"NOT RECOVERED after {RECOVERY_SECONDS:g} s"
        )
        returned = f"; {len(reconnects)} clients reconnected, the last in {max(reconnects):.2f} s" if reconnects else ""
        say(f"{_clock(begun - started)}  {kind:<28} {target:<16} {took}; slowest message {late:.2f} s{returned}")


async def _wait_for_recovery(rooms: Sequence[RoomClients], since: float) -> float | None:
    try:
        async with asyncio.timeout(RECOVERY_SECONDS):
            await asyncio.gather(*(room.wait_for_recovery(since) for room in rooms))
    except TimeoutError:
        return None
    return time.monotonic() - since


def table(outcome: Outcome) -> list[str]:
    """The summary for the operator, as lines."""
    head = (
        f"{'fault':<28} {'times':>5}   {'recovery: p50':>13} {'max':>7}   "
        f"{'reconnect: p50':>14} {'max':>7}   {'slowest message':>15}"
    )
    lines = ["", head, "-" * len(head)]
    for kind in FAULTS:
        results = [result for result in outcome.results if result.kind == kind]
        if not results:
            continue
        recoveries = [RECOVERY_SECONDS if result.recovered_in is None else result.recovered_in for result in results]
        reconnects = [seconds for result in results for seconds in result.reconnects]
        lines.append(
            f"{kind:<28} {len(results):>5}   {_p50(recoveries):>13} {_max(recoveries):>7}   "
            f"{_p50(reconnects):>14} {_max(reconnects):>7}   {_max([result.late for result in results]):>15}"
        )
    report = outcome.report
    lines += [
        "",
        f"{report.acknowledged} commands acknowledged, {report.saved} messages saved, "
        f"{report.delivered} copies compared at {(WRITERS + READERS) * len(ROOMS)} clients",
        f"lost {len(report.of('lost'))}, duplicated {len(report.of('duplicated'))}, "
        f"out of order {len(report.of('disordered'))}, invented {len(report.of('invented'))}, "
        f"unanswered {report.unanswered}",
    ]
    lines += [f"  {breach.kind}: {breach.text}" for breach in report.breaches[:MAX_BREACHES_SHOWN]]
    if len(report.breaches) > MAX_BREACHES_SHOWN:
        lines.append(f"  … and {len(report.breaches) - MAX_BREACHES_SHOWN} more")
    if not outcome.is_consistent and outcome.server_warnings:
        lines += [
            "Last warnings and errors of the servers:",
            *(f"  {line}" for line in outcome.server_warnings[-MAX_WARNINGS_SHOWN:]),
        ]
    if outcome.tracebacks:
        lines.append(f"The servers logged {outcome.tracebacks} tracebacks.")
    return lines


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """True: the event was set in time."""
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


def _max(values: list[float]) -> str:
    return f"{max(values):.2f} s" if values else "-"
