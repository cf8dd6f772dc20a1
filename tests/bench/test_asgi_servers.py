"""The cases of servers and endings: options, ratios, texts; and a small run of each."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import asgi_servers, ratios
from bench.__main__ import main
from bench.asgi_servers import DEVELOPMENT, KINDS, Gunicorn, Ours
from bench.ending_clients import Author, Closed, Follower, closed_by
from bench.environment import ROOT, Ground, prepared
from bench.scenarios import endings, fanout, servers
from bench.stats import Row, Table

SOCKETS = 10


def nothing(text: str) -> None:
    """Print nothing."""


@pytest.fixture
def bare_ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path, [], [])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["servers", "--side", "gunicron"],
            "python -m bench servers: --side gunicron: no such server; the servers are ",
        ),
        (["endings", "--side", "uvicorn", "--side", "nginx"], "python -m bench endings: --side nginx: no such server"),
        (["servers", "--rounds", "0"], "python -m bench servers: --rounds 0: at least 1"),
        (["endings", "--against", "."], "python -m bench endings: --against compares two checkouts"),
    ],
)
def test_wrong_options_end_with_one_line(arguments: list[str], line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert str(ended.value).startswith(line)
    assert "\n" not in str(ended.value)


def test_a_missing_package_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = asgi_servers.util.find_spec
    monkeypatch.setattr("bench.asgi_servers.util.find_spec", lambda name: name != "uvicorn" and real(name))
    said: list[str] = []
    found = fanout.installed(KINDS, said.append, ["hubbub", "uvicorn", "gunicorn"])
    assert found == [Ours]
    assert said == [
        f"  {name}: left out, it is not installed. Install it: {DEVELOPMENT}" for name in ("uvicorn", "gunicorn")
    ]


def test_ours_is_measured_beside_each_chosen_server() -> None:
    assert asgi_servers.with_ours(["granian"]) == ["hubbub", "granian"]
    assert asgi_servers.with_ours(["granian", "hubbub"]) == ["hubbub", "granian"]
    assert asgi_servers.with_ours([]) == ()


def test_each_server_has_a_room_and_runs_the_same_application(bare_ground: Ground) -> None:
    sides = [kind(bare_ground) for kind in KINDS]
    assert len({side.room for side in sides}) == len(KINDS)
    assert {side.command()[-1] for side in sides} == {"project.asgi:application"}
    assert all(any(str(side.port) in word for word in side.command()) for side in sides)
    assert Gunicorn(bare_ground).row().label.startswith("gunicorn 2")
    assert Ours(bare_ground).row().label == "`hubbub.server`"


def test_ratios_are_of_the_rounds_and_of_medians_where_a_round_does_not_count() -> None:
    ours = Row("hubbub", "Hubbub", {"rate": [100.0, 200.0, 400.0]})
    assert ratios.ratios(Row("a", "A", {"rate": [50.0, 50.0, 50.0]}), ours, "rate") == [0.5, 0.25, 0.125]
    assert ratios.ratios(Row("a", "A", {"rate": [50.0]}), ours, "rate") == [0.25]
    assert ratios.ratios(Row("a", "A"), ours, "rate") == []
    assert ratios.ratios(Row("a", "A", {"rate": [1.0]}), Row("hubbub", "Hubbub", {"rate": [0.0]}), "rate") == []


def test_the_text_of_servers_has_figures_and_ratios() -> None:
    rows = [
        Row("hubbub", "ours", {"rate": [100.0, 200.0], "kib": [20.0]}),
        Row("b", "B", {"rate": [50.0, 50.0], "kib": [30.0]}, ["strays"]),
    ]
    text = servers.as_markdown(Table("servers", "Servers", "rate", rows))
    assert "| ours | – | – | – | – | 150 (100 … 200) | – | 20.0 |" in text
    assert "| B | – | – | – | – | 0.38 × (0.25 … 0.50) | – | 1.50 × |" in text
    assert "B: 1 measurements do not count (the first: strays)." in text


def test_the_text_of_endings_counts_the_closes() -> None:
    row = Row(
        "hubbub",
        "ours",
        {"back_s": [1.5], "unanswered": [3.0, 4.0], "in_flight": [80.0], "lost": [0.0, 1.0], "grown_mib": [1.25]},
    )
    endings.count_closes(row, endings.END, [Closed(1012, "Restart"), Closed(1012, "Restart")])
    endings.count_closes(row, endings.SLOW, [Closed(1006, ""), None, Closed(4101, "Slow reader")])
    text = endings.as_markdown(Table("endings", "Endings", "back_s", [row]))
    assert "| ours | all 1012 Restart | – | – | 1.50 | – | 7 | – | 1 | – |" in text
    assert "without an answer, of 80" in text
    assert "| ours | 1 × 1006, 1 × 4101 Slow reader, 1 × open | 1.25 |" in text


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"\x03\xf4Restart", 1012, "Restart"), (b"\x10\x05", 4101, ""), (b"", 1005, "")],
)
def test_a_close_frame_has_code_and_reason(payload: bytes, code: int, reason: str) -> None:
    closed = closed_by(payload)
    assert (closed.code, closed.reason) == (code, reason)


def test_a_follower_counts_the_positions_that_it_was_not_given(bare_ground: Ground) -> None:
    follower = Follower([Ours(bare_ground)], 0)
    for position in (1, 2, 2, 5, 4, 6):
        follower.take({"type": "message.posted", "position": position})
    follower.take({"type": "presence.changed"})
    assert (follower.position, follower.missing) == (6, 2)
    follower.line.close()


def test_an_author_tells_answers_from_acknowledgements(bare_ground: Ground) -> None:
    author = Author([Ours(bare_ground)], 0)
    assert author.take(b'{"type":"ok","ref":"a"}')
    assert author.take(b'{"type":"error","ref":"b","code":"unavailable"}')
    assert not author.take(b'{"type":"service.changed","state":"ok"}')
    assert (author.answered, author.acknowledged) == ({"a", "b"}, {"a"})
    author.line.close()


def test_unanswered_and_lost_posts_are_counted(bare_ground: Ground) -> None:
    sides = [Ours(bare_ground)]
    author, follower, row = Author(sides, 0), Follower(sides, 0), Row("hubbub", "ours")
    author.sent = {"a-1": 1.0, "a-2": 2.0, "a-3": 2.1, "a-4": 9.0}
    author.answered_before_close, author.acknowledged = {"a-1"}, {"a-1", "a-2", "a-3", "a-4"}
    follower.closed, follower.closed_at, follower.back_at = Closed(1012, "Restart"), 3.0, 5.0
    endings.note(row, 2.5, [follower])
    endings.note_posts(row, 2.5, [author], {"a1", "a3"}, {"a1", "a3", "a4"})
    counted = {name: row.median(name) for name in ("in_flight", "unanswered", "saved_only", "lost")}
    assert counted == {"in_flight": 3, "unanswered": 2, "saved_only": 1, "lost": 1}
    assert (row.median("missing"), row.median("end 1012 Restart")) == (0, 1)
    assert (row.median("back_s"), row.median("away_s"), row.median("spread_s")) == (2.5, 2.0, 0.0)
    author.line.close()
    follower.line.close()


def test_the_document_has_each_server_and_each_measured_column() -> None:
    text = (ROOT / "docs" / "servers.md").read_text()
    for name in asgi_servers.NAMES[1:]:
        rows = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
        assert len(rows) == 5, name  # Of the tests, figures, ratios, closes, and slow readers.
    heads = [*servers.HEADS.values(), *endings.ENDING_HEADS.values(), *endings.SLOW_HEADS.values()]
    assert [head for head in heads if head.partition("{")[0] not in text] == []


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with prepared() as made:
        yield made


@pytest.mark.soak
@pytest.mark.cluster
def test_a_small_run_measures_two_servers(ground: Ground) -> None:
    table = servers.servers(ground, 1, nothing, ["uvicorn"], sockets=SOCKETS)
    assert [(row.name, row.problems) for row in table.rows] == [("hubbub", []), ("uvicorn", [])]
    for row in table.rows:
        assert all(row.median(quantity) > 0 for quantity in servers.HEADS), row
        assert row.median("p50_ms") <= row.median("p99_ms") < 8_000
    text = servers.as_markdown(table)
    assert text.count("| uvicorn ") == 2
    assert "–" not in text


@pytest.mark.soak
@pytest.mark.cluster
def test_a_small_run_ends_two_servers_and_no_acknowledged_post_is_lost(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"WARM_POSTS": 10, "BIG_POSTS": 50, "CALM_SECONDS": 0.5, "GIVEN_UP_SECONDS": 0.1, "QUIET_SECONDS": 0.5}
    for name, value in small.items():
        monkeypatch.setattr(endings, name, value)
    table = endings.endings(ground, 1, nothing, ["uvicorn"], sockets=SOCKETS)
    assert [(row.name, row.problems) for row in table.rows] == [("hubbub", []), ("uvicorn", [])]
    ours, other = table.rows
    assert ours.samples["end 1012 Restart"] == other.samples["end 1012"] == [SOCKETS]
    assert ours.median("saved_only") == 0
    for row in table.rows:
        assert (row.median("lost"), row.median("missing")) == (0, 0)
        assert row.median("in_flight") == endings.AUTHORS * endings.RUSH
        assert 0 < row.median("away_s") <= row.median("back_s") < endings.END_SECONDS
        assert not math.isnan(row.median("grown_mib"))
