"""The report compares Hubbub with its peers, and shows the figures of each side."""

from pathlib import Path

import pytest

from bench import report
from bench.__main__ import main
from bench.environment import RAISED_LIMITS
from bench.standing import ahead_lines, summary
from bench.stats import Row, Table

ROOT = Path(__file__).resolve().parent.parent.parent
MACHINE = {"processor": "one"}


def row(name: str, signs_in: str = "no", saves: str = "no", **samples: float) -> Row:
    values = {quantity: [value] for quantity, value in samples.items()}
    return Row(name, name.title(), values, signs_in=signs_in, saves=saves)


def table(name: str, *rows: Row) -> Table:
    return Table(name, f"Case {name}", "rate", list(rows))


FANOUT = table(
    "fanout-200",
    row("hubbub", "session cookie", "SQLite", rate=100.0, alone_us=12.0),
    row("hubbub-publish", "session cookie", rate=400.0, alone_us=6.0),
    row("fastapi", rate=50.0, alone_us=15.0),
    row("socketify", rate=200.0, alone_us=8.0),
    row("nchan", rate=80.0, alone_us=5.0),
    row("bare", rate=900.0, alone_us=1.0),
)


def test_each_row_in_which_a_peer_is_ahead_is_listed_with_how_far() -> None:
    assert ahead_lines([FANOUT]) == [
        ("Case fanout-200", "in bursts, deliveries a second", "Socketify (2.00 ×)", "no peer"),
        (
            "Case fanout-200",
            "one message at a time, CPU time of a delivery",
            "Nchan (2.40 ×), Socketify (1.50 ×)",
            "Nchan (1.20 ×)",
        ),
    ]


def test_a_row_in_which_no_peer_is_ahead_is_not_listed() -> None:
    alone = table("memory", row("hubbub", kib=10.0), row("fastapi", kib=10.0))
    assert ahead_lines([alone]) == []
    assert report.ahead([alone]) == "In no row of the tables below is a peer ahead."


def test_peers_that_were_not_measured_are_not_ahead() -> None:
    assert ahead_lines([table("memory", row("hubbub", kib=10.0), row("nchan"))]) == []
    assert ahead_lines([table("memory", row("hubbub"), row("nchan", kib=1.0))]) == []


def test_members_of_peers_are_compared_with_ours_that_have_joined() -> None:
    measured = table("connections", row("hubbub", rate=9.0), row("hubbub-join", rate=4.0), row("fastapi", rate=8.0))
    assert ahead_lines([measured]) == [("Case connections", "a second", "Fastapi (2.00 ×)", "")]


def test_the_summary_reports_worse_results_too() -> None:
    assert summary([FANOUT, table("memory", row("hubbub", kib=10.0), row("fastapi", kib=20.0))]) == [
        (
            "Messages in bursts to 200 sockets",
            "100 deliveries a second",
            "50.0 (FastAPI with Redis)",
            "Socketify (2.00 ×)",
        ),
        (
            "One message at a time to 200 sockets",
            "12.0 µs of CPU time a delivery",
            "15.0 (FastAPI with Redis)",
            "Nchan (2.40 ×), Socketify (1.50 ×)",
        ),
        ("An idle connection", "10.0 KiB", "20.0 (FastAPI with Redis)", "no peer"),
    ]


def test_the_page_says_beside_each_side_whether_it_signs_in_and_saves() -> None:
    head, body = report.lines(FANOUT)
    assert list(head[:3]) == ["", "signs in", "saves"]
    assert [list(line[:3]) for line in body[:3]] == [
        ["Hubbub", "session cookie", "SQLite"],
        ["Hubbub-Publish", "session cookie", "no"],
        ["Fastapi", "no", "no"],
    ]


def test_tables_without_such_sides_have_no_such_columns() -> None:
    assert list(report.lines(table("lag", row("hubbub", "", "", p99_ms=1.0)))[0]) == ["", "p99, ms", "× ours"]


def test_the_page_names_each_limit_that_is_raised() -> None:
    page = report.as_markdown(MACHINE, "make bench", [FANOUT])
    assert all(f"`{name}`" in page for name in RAISED_LIMITS)
    assert "| Case fanout-200 | in bursts, deliveries a second | Socketify (2.00 ×) | no peer |" in page


def test_the_readme_gets_the_summary() -> None:
    assert report.as_summary(MACHINE, "make bench", [FANOUT]).splitlines()[:5] == [
        "Measured with `make bench` on one.",
        "",
        "|  | Hubbub | compared with | ahead of Hubbub |",
        "| --- | --- | --- | --- |",
        "| Messages in bursts to 200 sockets | 100 deliveries a second | 50.0 (FastAPI with Redis) "
        "| Socketify (2.00 ×) |",
    ]


def test_document_fills_the_page_and_the_readme_between_their_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, path in (("DOCUMENT", "docs/performance.md"), ("README", "README.md")):
        copy = tmp_path / Path(path).name
        copy.write_text((ROOT / path).read_text())
        monkeypatch.setattr(f"bench.__main__.{name}", copy)
    monkeypatch.setattr("bench.__main__.PICTURE", tmp_path / "performance.svg")
    report.save(tmp_path / "bench.json", MACHINE, "make bench ROUNDS=5", [FANOUT])
    assert main(["document", "--json", str(tmp_path / "bench.json")]) == 0
    page, readme = (tmp_path / name for name in ("performance.md", "README.md"))
    assert "Socketify (2.00 ×)" in page.read_text()
    assert "| Messages in bursts to 200 sockets | 100 deliveries a second |" in readme.read_text()
    assert "## Where to go next" in readme.read_text()
    assert (tmp_path / "performance.svg").read_text().startswith("<svg")
