"""Tables of the documents: their rows, and the names in a cell."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Row = list[str]
Fields = dict[str, bool]  # Name of a field: whether it may be omitted.


def table(text: str, heading: str) -> list[Row]:
    """The rows, as texts of cells, of all tables whose first column is called `heading`."""
    rows, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells)
    return rows


def names_in(cell: str) -> Fields:
    """{name: whether a `?` follows} for each name in backticks."""
    return {name: bool(mark) for name, mark in re.findall(r"`([^`]+)`(\??)", cell)}
