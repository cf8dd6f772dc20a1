"""Medians, percentiles, the targets' verdicts, and the texts that are made of them."""

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import report
from bench.chart import chart
from bench.stats import Row, Table, percentile, short, spread
from bench.targets import TARGETS, Target


def table(name: str = "fanout-2000", **rates: list[float]) -> Table:
    rows = [Row(row, row.title(), {"rate": samples}) for row, samples in rates.items()]
    return Table(name, "Fan-out", "rate", rows)


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (99.5, 100), (100, 100), (0, 1)])
def test_a_percentile_is_one_of_the_samples(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == value


def test_without_samples_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("value", "text"),
    [(265_432.0, "265,000"), (3_604.0, "3,600"), (999.4, "999"), (42.06, "42.1"), (0.4567, "0.46"), (math.nan, "–")],
)
def test_figures_have_the_digits_that_matter(value: float, text: str) -> None:
    assert short(value) == text


def test_the_spread_is_shown_beside_the_median() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00 … 3.00)"
    assert spread([]) == "–"


@pytest.mark.parametrize(
    ("value", "verdict"), [(39.9, "MISSED"), (40.0, "met"), (60.0, "goal"), (math.nan, "not measured")]
)
def test_more_is_better_where_it_is(value: float, verdict: str) -> None:
    assert Target("", "", lambda tables: value, 40, 60).verdict(value) == verdict


@pytest.mark.parametrize(("value", "verdict"), [(1.3, "MISSED"), (1.2, "met"), (1.0, "goal")])
def test_less_is_better_where_it_is(value: float, verdict: str) -> None:
    assert Target("", "", lambda tables: value, 1.2, 1.0, more=False).verdict(value) == verdict


def test_the_ratio_is_of_medians() -> None:
    measured = {"fanout-2000": table(hubbub=[100.0, 300.0, 200.0], bare=[400.0])}
    line = next(target for target in TARGETS if "bare" in target.against).line(measured)
    assert line[2] == "0.50 ×"


def test_every_target_works_without_unmeasured_values() -> None:
    assert {target.line({})[-1] for target in TARGETS} == {"not measured"}
    names = ("fanout-200", "fanout-1000", "fanout-2000", "fanout-5000", "latency", "connections", "memory", "posts")
    without_rows = {name: table(name) for name in (*names, "lag", "processes")}
    assert {target.line(without_rows)[-1] for target in TARGETS} == {"not measured"}
    assert report.as_markdown({}, "", list(without_rows.values()))


def test_a_burst_with_lost_frames_is_reported() -> None:
    measured = table(hubbub=[1.0])
    measured.rows[0].problems.append("2 of 5 members lacked messages")
    assert "Hubbub: 1 measurements do not count (the first: 2 of 5 members lacked messages)" in report.terminal(
        [measured]
    )


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    tables = [table(hubbub=[1.0, 2.0])]
    report.save(tmp_path / "new" / "bench.json", {"processor": "one"}, "make bench", tables)
    assert report.load(tmp_path / "new" / "bench.json") == ({"processor": "one"}, "make bench", tables)


def test_the_document_keeps_the_text_around_the_tables() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.replace_between_marks(text, "new") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="fill"):
        report.replace_between_marks("nothing", "new")


def test_the_chart_has_a_bar_for_each_side_that_was_measured() -> None:
    measured = table(hubbub=[200.0], fastapi=[50.0], socketio=[])
    root = ElementTree.fromstring(chart([measured, table("memory", hubbub=[9.0])]))
    bars = [element for element in root.iter() if element.tag.endswith("rect")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert len(bars) == 2
