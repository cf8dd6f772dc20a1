"""This checkout beside another one: `python -m bench --against PATH`. Each measures itself with its own load client.

The two take turns, round after round, so that both meet the same minutes of the machine. The other one is started
as `python -m bench` with options that it has always had: it need not know of this.
"""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import report
from bench.standing import MEASURES, ONLY_OURS, Measure
from bench.stats import Row, Table, median, short, spread

# The cases compared when none is named.
CASES = ("fanout", "posts", "connections", "memory", "latency")
FANOUT_SOCKETS = (200, 2000)
ROUNDS_OF_A_TURN = 2  # Starting everything takes longer than measuring it.
LONG_ROUNDS = {"page": 1}  # Cases whose rounds take minutes.
TURN_SECONDS = 900.0
ROWS = ("hubbub", "hubbub-publish", "hubbub-join")

MIN_TURNS = 3  # Fewer differ by chance.

# A checkout without a method hands over a script's burst at once, and its CPU time of lone messages includes the pauses
# between them. These quantities cannot be compared.
NOT_COMPARED = {
    ("hubbub-publish", "rate"),
    ("hubbub-publish", "cpu_us"),
    ("hubbub-publish", "alone_us"),
    ("hubbub", "alone_us"),
}
# Not source of a checkout, or made anew.
NOT_COPIED = (".git", ".venv", ".venv-bench", ".venv-docs", "var", "node_modules", "__pycache__", "bench")
NAMES = ("old", "new")


@dataclass
class Compared:
    """One quantity of one row: the medians of each turn, of the old and of the new."""

    title: str
    label: str
    measure: Measure
    is_same_method: bool = True
    old: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Old to new, of each pair of turns."""
        return [old / new if new else math.nan for old, new in zip(self.old, self.new, strict=False)]

    def verdict(self) -> str:
        """Better or worse when all turns of the new are beyond all turns of the old."""
        if not self.is_same_method:
            return "measured in another way"
        if not self.old or not self.new:
            return f"not measured by the {NAMES[bool(self.old)]}"
        if min(len(self.old), len(self.new)) < MIN_TURNS:
            return "too few rounds to tell"
        low, high = min(self.new) > max(self.old), max(self.new) < min(self.old)
        if not low and not high:
            return "within the spread"
        return "better" if low == self.measure.more else "WORSE"

    def line(self) -> Sequence[str]:
        both = self.is_same_method and self.ratios
        ratio = spread(self.ratios) if both else short(math.nan)
        return (self.title, self.label, self.measure.label, spread(self.old), spread(self.new), ratio, self.verdict())


HEAD = ("case", "row", "measured", "old", "new", "old / new", "")


def against(
    old: Path,
    new: Path,
    cases: Sequence[str],
    sockets: Sequence[int],
    rounds: int,
    results: Path,
    *,
    is_same_client: bool = False,
) -> list[Compared]:
    """Let both checkouts measure themselves in turns, print the results, and save them as JSON in `results`.

    `is_same_client`: the old one's server is measured by the new one's load client, in a copy.
    """
    if not (old / "bench" / "__main__.py").is_file():
        raise SystemExit(f"{old} is no checkout of this project: it has no bench/.")
    if is_same_client and not (old / "chat" / "topics.py").is_file():
        raise SystemExit(f"--same-client: {old} speaks an older protocol than this client. Leave the option out.")
    found: dict[tuple[str, str, str], Compared] = {}
    with tempfile.TemporaryDirectory(prefix="hubbub-against-") as folder:
        if is_same_client:
            old = with_bench_of(new, old, Path(folder) / "old")
        for number in range(rounds):
            for case in cases:
                # The second one runs on a warmer machine: they take turns at being first.
                for which in NAMES if number % 2 == 0 else NAMES[::-1]:
                    print(f"round {number + 1} of {rounds}, {case}: {which}", flush=True)
                    path = Path(folder) / f"{case}-{which}-{number}.json"
                    _run(old if which == "old" else new, case, sockets, path)
                    add(found, which, json.loads(path.read_text()))
    compared = list(found.values())
    print("\n" + report.aligned(HEAD, [row.line() for row in compared]))
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps([_as_json(row) for row in compared], indent=1) + "\n")
    print(f"\nResults: {results}")
    return compared


def add(found: dict[tuple[str, str, str], Compared], which: str, content: Mapping[str, Any]) -> None:
    """Add the medians of one turn to `found`."""
    is_current_method = content.get("method", 1) >= report.METHOD
    for described in content["tables"]:
        for row in described["rows"]:
            for problem in row.get("problems", ()):
                print(f"  {which}, {row['label']}: does not count: {problem}", flush=True)
        rows = [_row(row) for row in described["rows"]]
        table = Table(described["name"], described["title"], described["quantity"], rows)
        for row, measure in _quantities(table):
            title = "Connections per second" if table.name == "connections" else table.title
            key = (table.name, row.name, measure.quantity)
            compared = found.setdefault(key, Compared(title, row.label, measure))
            getattr(compared, which).append(median(row.samples[measure.quantity]))
            if not is_current_method and key[1:] in NOT_COMPARED:
                compared.is_same_method = False


def _quantities(table: Table) -> Iterator[tuple[Row, Measure]]:
    for row in table.rows:
        if row.name in ROWS or table.name in ONLY_OURS:
            for measure in MEASURES.get(table.name.partition("-")[0], ()):
                if row.samples.get(measure.quantity):
                    yield row, measure


def _row(row: Mapping[str, Any]) -> Row:
    """A row of any checkout, without its other fields."""
    return Row(row["name"], row["label"], row["samples"])


def with_bench_of(new: Path, old: Path, copy: Path) -> Path:
    """A copy of the checkout `old` in which `new` measures."""
    shutil.copytree(old, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    shutil.copytree(new / "bench", copy / "bench", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    return copy


def _run(checkout: Path, case: str, sockets: Sequence[int], path: Path) -> None:
    command = command_of(case, sockets, path)
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=TURN_SECONDS)
    if ran.returncode:
        raise SystemExit(f"{checkout} could not measure {case}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")


def command_of(case: str, sockets: Sequence[int], path: Path) -> list[str]:
    """A turn's command. Both checkouts run in this interpreter: libraries are the same on both sides."""
    counts = (sockets or FANOUT_SOCKETS) if case == "fanout" else ()
    more = [word for count in counts for word in ("--sockets", str(count))]
    rounds = LONG_ROUNDS.get(case, ROUNDS_OF_A_TURN)
    turn = ["--rounds", str(rounds), "--side", "hubbub", "--json", str(path)]
    return [sys.executable, "-m", "bench", case, *turn, *more]


def _as_json(row: Compared) -> dict[str, Any]:
    return {
        "case": row.title,
        "row": row.label,
        "measured": row.measure.label,
        "old": row.old,
        "new": row.new,
        "ratios": row.ratios,
        "verdict": row.verdict(),
    }
