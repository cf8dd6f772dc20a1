"""The fan-out rates as an SVG picture: a bar for each side, in groups by the number of sockets. Pure."""

from collections.abc import Sequence
from html import escape

from bench.stats import Row, Table, short

WIDTH = 800
LABEL_WIDTH = 330
BAR_HEIGHT = 20
GAP = 6
HEAD = 34
OURS = ("hubbub", "hubbub-publish")

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 }
  .ours { fill: #2f6f4f }
  .bound { fill: #b8bec6 }
  .peer { fill: #7d8794 }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ours { fill: #57a97f }
    .bound { fill: #4b535d }
    .peer { fill: #8b949e }
    .range { stroke: #e6edf3 }
  }"""


def chart(tables: Sequence[Table]) -> str:
    """All bars on one scale; a thin line spans from the least to the greatest round."""
    fanouts = [table for table in tables if table.name.startswith("fanout-")]
    most = max((max(row.samples["rate"]) for table in fanouts for row in _measured(table)), default=1.0)
    scale = (WIDTH - LABEL_WIDTH - 80) / most
    parts: list[str] = []
    y = 0
    for table in fanouts:
        parts.append(f'<text class="head" x="0" y="{y + 22}">{escape(table.title)}, deliveries per second</text>')
        y += HEAD
        for row in sorted(_measured(table), key=lambda row: -row.median("rate")):
            parts.append(_bar(row, y, scale))
            y += BAR_HEIGHT + GAP
        y += GAP
    title = "Deliveries per second of each server, by the number of sockets"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}\n</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _measured(table: Table) -> list[Row]:
    return [row for row in table.rows if row.samples.get("rate")]


def _bar(row: Row, y: int, scale: float) -> str:
    samples = row.samples["rate"]
    middle = y + BAR_HEIGHT / 2
    kind = "ours" if row.name in OURS else "bound" if row.name.startswith("bare") else "peer"
    width = max(1.0, row.median("rate") * scale)
    low, high = (LABEL_WIDTH + rate * scale for rate in (min(samples), max(samples)))
    return (
        f'<text x="{LABEL_WIDTH - 8}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(row.label)}</text>'
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/>'
        f'<path class="range" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>'
        f'<text x="{max(LABEL_WIDTH + width, high) + 6:.1f}" y="{middle + 4.5:.1f}">{short(row.median("rate"))}</text>'
    )
