"""`python -m bench`: every case, or one of them. docs/performance.md describes each."""

import argparse
import contextlib
import fcntl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import against, asgi_servers, chart, machine, report
from bench.environment import ROOT, Ground, prepared
from bench.scenarios import capacity, endings, fanout, page, processes, servers, state, streams, topics, watch
from bench.stats import Table

Case = Callable[[Ground, int, fanout.Say, Sequence[str]], Table]

FANOUT_SOCKETS = tuple(fanout.FANOUT_SIDES)
CASES: dict[str, Case] = {
    "latency": fanout.latency,
    "connections": capacity.connections,
    "memory": capacity.memory,
    "posts": capacity.posts,
    "lag": capacity.lag,
    "processes": processes.processes,
    "idle": topics.idle,
    "state": state.state,
    "streams": streams.streams,
    "watch": watch.watch,
    "comparison": topics.comparison,
    "page": page.page,
}
# Run by name only: not part of `all`. Each has a text of its own for docs/servers.md, and results of its own.
BY_NAME: dict[str, tuple[Case, Callable[[Table], str]]] = {
    "servers": (servers.servers, servers.as_markdown),
    "endings": (endings.endings, endings.as_markdown),
}
BUSY = 0.1  # Above this share of the machine, other programs disturb the measurement.
RESULTS = ROOT / "var" / "bench.json"
AGAINST = ROOT / "var" / "against.json"
DOCUMENT = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if (problem := _problem(options)) is not None:
        raise SystemExit(f"python -m bench {options.case}: {problem}")
    if options.case == "document":
        return _document(options.json or RESULTS)
    if options.against is not None:
        chosen = against.CASES if options.case == "all" else (options.case,)
        results = options.json or AGAINST
        against.against(
            options.against.resolve(),
            ROOT,
            chosen,
            options.sockets or (),
            options.rounds,
            results,
            is_same_client=options.same_client,
        )
        return 0
    if options.case in BY_NAME:
        options.json = options.json or RESULTS.with_name(f"{options.case}.json")
    options.json = options.json or RESULTS
    machine.raise_descriptor_limit()
    began = time.monotonic()
    tables: list[Table] = []
    with _alone(), prepared() as ground:
        for name, run in _chosen(options).items():
            _warn_if_busy()
            print(name, flush=True)
            tables.append(run(ground, options.rounds, _say, options.side))
            report.save(options.json, machine.describe(), _command(options), tables)  # The next case may fail.
    if options.case in BY_NAME:
        text = BY_NAME[options.case][1](tables[0])
        print(f"\n{report.measured_with(machine.describe(), _command(options))}\n\n{text}")
        print(f"\n{time.monotonic() - began:.0f} s. Results: {options.json}")
        return 0
    print("\n" + report.terminal(tables))
    options.json.with_suffix(".svg").write_text(chart.chart(tables))
    print(f"\n{time.monotonic() - began:.0f} s. Results: {options.json} and {options.json.with_suffix('.svg').name}")
    return 0


def _problem(options: argparse.Namespace) -> str | None:
    """One line on a wrong option; None if all are right."""
    if options.rounds < 1:
        return f"--rounds {options.rounds}: at least 1"
    if options.case in BY_NAME:
        if options.against is not None:
            return "--against compares two checkouts; this case compares servers"
        return asgi_servers.unknown_names(options.side)
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = ["all", "fanout", *CASES, *BY_NAME, "document"]
    parser.add_argument("case", nargs="?", default="all", choices=names, help="document: write docs from the results")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--sockets", type=int, action="append", help="sockets of fanout; can be repeated")
    parser.add_argument("--side", action="append", default=[], help="only these sides, in each case")
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--same-client", action="store_true", help="measure the other one by this one's load client")
    parser.add_argument("--json", type=Path, help="the file of the results")
    return parser


def _command(options: argparse.Namespace) -> str:
    if options.case in BY_NAME:
        return f"python -m bench {options.case} --rounds {options.rounds}"
    is_all = options.case == "all" and not options.side and not options.sockets
    return f"make bench ROUNDS={options.rounds}" if is_all else f"python -m bench {options.case}"


def _chosen(options: argparse.Namespace) -> dict[str, Case]:
    chosen: dict[str, Case] = {}
    if options.case in ("all", "fanout"):
        for sockets in options.sockets or FANOUT_SOCKETS:
            chosen[f"fanout, {sockets:,} sockets"] = _fanout(sockets)
    if options.case in BY_NAME:
        return {options.case: BY_NAME[options.case][0]}
    return chosen | {name: case for name, case in CASES.items() if options.case in ("all", name)}


def _fanout(sockets: int) -> Case:
    return lambda ground, rounds, say, only: fanout.fanout(ground, sockets, rounds, say, only)


def _document(results: Path) -> int:
    described, command, tables = report.load(results)
    for document, content in (
        (DOCUMENT, report.as_markdown(described, command, tables)),
        (README, report.as_summary(described, command, tables)),
    ):
        document.write_text(report.replace_between_marks(document.read_text(), content))
    PICTURE.write_text(chart.chart(tables))
    return 0


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait for other runs: two at once would measure each other."""
    with (Path(tempfile.gettempdir()) / "hubbub-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another run measures on this machine: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _warn_if_busy() -> None:
    if (busy := machine.busy_share()) > BUSY:
        _say(f"  other programs use {busy:.0%} of the machine: these figures are unreliable")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
