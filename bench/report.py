"""Results as text: for the terminal, as JSON, and as the tables of docs/performance.md."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import cost_model, standing
from bench.environment import RAISED_LIMITS
from bench.page import goals
from bench.stats import Row, Table, short, spread
from bench.targets import TARGETS

# The head of each quantity's column. Quantities without one are in the JSON only.
HEADS = {
    "rate": "per second",
    "cpu_us": "server's CPU time, µs each",
    "alone_rate": "one message at a time: per second",
    "alone_us": "CPU time, µs each",
    "load_us": "load client's CPU time, µs each",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "last_ms": "until the last has it, ms",
    "max_ms": "worst, ms",
    "joined_s": "all joined, s",
    "join_us": "CPU time of a join, µs",
    "core": "CPU time, % of a core",
    "post_ms": "a post is answered, p50, ms",
    "kib": "KiB",
    "threads": "more threads",
    "database": "more database connections",
    "idle_percent": "idle, % of a core",
    "back_s": "all back after a restart, s",
    "cpu_ms": "CPU time, ms",
    "frames": "frames to each socket",
    "poster_us": "poster's process, µs",
    "other_us": "each other process, µs",
    "redis_us": "Redis, µs",
    "publishes": "publishes",
    "subscribers": "deliveries by Redis",
}
RATIO_TO = {"rate": "× ours", "p50_ms": "× ours", "kib": "× ours"}
SIDES = {"signs_in": "signs in", "saves": "saves"}  # Columns beside the figures.
METHOD = 2  # From 2 on, a script has as many messages in flight as the others, not all of them.
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def save(path: Path, machine: Mapping[str, str], command: str, tables: Sequence[Table]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "method": METHOD,
        "machine": dict(machine),
        "command": command,
        "tables": [dataclasses.asdict(table) for table in tables],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def load(path: Path) -> tuple[dict[str, str], str, list[Table]]:
    content: dict[str, Any] = json.loads(path.read_text())
    tables = [Table(**{**table, "rows": [Row(**row) for row in table["rows"]]}) for table in content["tables"]]
    return content["machine"], content["command"], tables


def as_markdown(machine: Mapping[str, str], command: str, tables: Sequence[Table]) -> str:
    """Everything between the marks of docs/performance.md."""
    parts = [measured_with(machine, command), "### Goals", targets(tables), "### Where peers are ahead", ahead(tables)]
    limits = ", ".join(f"`{name}`" for name in RAISED_LIMITS)
    parts.append(
        "In all tables below, limits that are made for one user or one process are raised to 1,000,000 on our side. "
        f"They are active and never reached: {limits}. The peers have no such limits."
    )
    parts += [f"### {table.title}\n\n{markdown(*lines(table))}{problems(table)}" for table in tables]
    return "\n\n".join([*parts, cost_text(tables)])


def as_summary(machine: Mapping[str, str], command: str, tables: Sequence[Table]) -> str:
    """The text between the marks of the README."""
    head = ("", "Hubbub", "compared with", "ahead of Hubbub")
    return f"{measured_with(machine, command)}\n\n{markdown(head, standing.summary(tables))}"


def measured_with(machine: Mapping[str, str], command: str) -> str:
    return f"Measured with `{command}` on {', '.join(machine.values())}."


def ahead(tables: Sequence[Table]) -> str:
    found = standing.ahead_lines(tables)
    if not found:
        return "In no row of the tables below is a peer ahead."
    head = ("case", "measured", "ahead of our posts", "ahead of our script")
    return "Every row in which a peer is ahead of us, by how many times:\n\n" + markdown(head, found)


def cost_text(tables: Sequence[Table]) -> str:
    known = cost_model.constants({table.name: table for table in tables})
    if any(math.isnan(cost) for cost in dataclasses.astuple(known)):
        return "The cost model needs all cases."
    share, people = f"{cost_model.BUSY:.0%}", f"{cost_model.ROOM_MEMBERS} online in each room"
    return "\n\n".join(
        [
            "### The cost model",
            "Costs, measured above:",
            markdown(("", "cost", "of"), cost_model.constants_lines(known)),
            f"Capacity with a core kept at {share} and nothing else to do:",
            markdown(("", "", ""), cost_model.capacity_lines(known)),
            f"On paper: {people}, spread over all processes; each member posts once a minute; everybody can be back "
            f"within {cost_model.RETURN_SECONDS:.0f} s after everything has restarted.",
            markdown(
                (
                    "connections",
                    "posts/s",
                    "deliveries/s",
                    "processes (cores)",
                    "memory of connections, GiB",
                    "processes that a message goes to",
                    "cores of Redis",
                ),
                cost_model.scenario_lines(known),
            ),
        ]
    )


def targets(tables: Sequence[Table]) -> str:
    by_name = {table.name: table for table in tables}
    head = ("measure", "against", "measured", "at least", "goal", "")
    return markdown(head, [target.line(by_name) for target in TARGETS])


def lines(table: Table) -> tuple[Sequence[str], list[Sequence[str]]]:
    """A table's head and lines: medians, with the least and the greatest of the rounds."""
    if table.name == "page":
        return goals.lines(table)
    quantities = [name for name in HEADS if any(name in row.samples for row in table.rows)]
    notes = [name for name in SIDES if any(getattr(row, name) for row in table.rows)]
    ratio = RATIO_TO.get(table.quantity)
    head = ["", *(SIDES[name] for name in notes), *(HEADS[name] for name in quantities), *([ratio] if ratio else [])]
    ours = table.median("hubbub")
    body: list[Sequence[str]] = []
    for row in table.rows:
        cells = [spread(row.samples.get(name, [])) for name in quantities]
        asides = [getattr(row, name) for name in notes]
        body.append([row.label, *asides, *cells, *([short(row.median(table.quantity) / ours)] if ratio else [])])
    return head, body


def problems(table: Table) -> str:
    lost = [
        f"{row.label}: {len(row.problems)} measurements do not count (the first: {row.problems[0]})"
        for row in table.rows
        if row.problems
    ]
    return f"\n\n{'; '.join(lost)}." if lost else ""


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    return "\n".join([_line(head), _line(["---"] * len(head)), *(_line(row) for row in body)])


def aligned(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The same for the terminal."""
    rows = [head, *body]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def terminal(tables: Sequence[Table]) -> str:
    parts = [f"{table.title}\n{aligned(*lines(table))}{problems(table)}" for table in tables]
    by_name = {table.name: table for table in tables}
    measured = [line for line in (target.line(by_name) for target in TARGETS) if line[-1] != "not measured"]
    if measured:
        parts.append(aligned(("measure", "against", "measured", "at least", "goal", ""), measured))
    return "\n\n".join(parts)


def replace_between_marks(text: str, content: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} … {END} to fill")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
