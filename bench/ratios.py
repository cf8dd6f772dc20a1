"""Tables of one run with ratios to our row. Pure."""

import math
from collections.abc import Mapping, Sequence

from bench.stats import Row, Table, median, short, spread

OURS = "hubbub"


def ratios(row: Row, ours: Row, quantity: str) -> list[float]:
    """Of each round, `row` to `ours`. Of the medians where a round of either does not count."""
    theirs, mine = row.samples.get(quantity, []), ours.samples.get(quantity, [])
    if len(theirs) != len(mine):
        theirs, mine = [median(theirs)], [median(mine)]
    pairs = [(their, our) for their, our in zip(theirs, mine, strict=True) if our and not math.isnan(their / our)]
    return [their / our for their, our in pairs]


def figures(table: Table, heads: Mapping[str, str]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Medians of all rounds, with the least and the greatest. `heads`: the column of each quantity."""
    body = [[row.label, *(spread(row.samples.get(name, [])) for name in heads)] for row in table.rows]
    return ["", *heads.values()], [*body]


def beside_ours(table: Table, heads: Mapping[str, str]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The median of the ratios of all rounds, with the least and the greatest; our own row is left out."""
    ours = table.row(OURS) or Row(OURS, OURS)
    body = [[row.label, *(_times(ratios(row, ours, name)) for name in heads)] for row in table.rows if row.name != OURS]
    return ["", *heads.values()], [*body]


def _times(found: Sequence[float]) -> str:
    if not found:
        return short(math.nan)
    text = f"{short(median(found))} ×"
    return text if len(found) == 1 else f"{text} ({short(min(found))} … {short(max(found))})"
