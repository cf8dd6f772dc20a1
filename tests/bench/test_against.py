"""Two checkouts in turns: their commands, and the report on their measurements."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import against
from bench.__main__ import main
from bench.against import Compared, command_of
from bench.standing import BURST_CPU, BURST_RATE

ROOT = Path(__file__).resolve().parent.parent.parent

# A checkout that knows nothing of this one: it takes the options of old, and writes what it is told to.
OTHER = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("case", choices=["fanout", "posts", "connections", "memory", "latency"])
parser.add_argument("--rounds", type=int)
parser.add_argument("--sockets", type=int, action="append")
parser.add_argument("--side", action="append")
parser.add_argument("--json", type=pathlib.Path)
options = parser.parse_args()
with open("turns", "a") as turns:
    turns.write(f"{options.case}\\n")
row = {"name": "hubbub", "label": "Hubbub", "samples": {"rate": [100.0]}, "problems": []}
table = {"name": "posts", "title": "Posts", "quantity": "rate", "rows": [row]}
options.json.write_text(json.dumps({"machine": {}, "command": "", "tables": [table]}))
"""


def compared(old: Sequence[float], new: Sequence[float], *, more: bool = True) -> Compared:
    return Compared("Fan-out", "Hubbub", BURST_RATE if more else BURST_CPU, True, list(old), list(new))


@pytest.mark.parametrize(
    ("old", "new", "more", "verdict"),
    [
        ([100, 110, 105], [120, 130, 111], True, "better"),
        ([100, 110, 105], [90, 80, 99], True, "WORSE"),
        ([1.0, 1.1, 1.2], [0.8, 0.9, 0.7], False, "better"),
        ([1.0, 1.1, 1.2], [1.3, 1.4, 1.5], False, "WORSE"),
        ([100, 110, 105], [90, 108, 80], True, "within the spread"),
        ([100, 101], [50, 51], True, "too few rounds to tell"),
        ([], [100], True, "not measured by the old"),
        ([100], [], True, "not measured by the new"),
    ],
)
def test_a_row_is_worse_when_all_its_turns_are(
    old: Sequence[float], new: Sequence[float], more: bool, verdict: str
) -> None:
    assert compared(old, new, more=more).verdict() == verdict


def test_ratios_are_of_pairs_of_turns_with_their_spread() -> None:
    line = compared([100, 210, 300], [100, 105, 100]).line()
    assert line[5] == "2.00 (1.00 … 3.00)"


def result(*, method: int | None, rate: float) -> dict[str, Any]:
    rows = [
        {"name": name, "label": name, "samples": {"rate": [rate], "alone_rate": [rate], "alone_us": [rate]}}
        for name in ("hubbub", "hubbub-publish", "fastapi")
    ]
    said = {} if method is None else {"method": method}
    return said | {"tables": [{"name": "fanout-200", "title": "Fan-out", "quantity": "rate", "rows": rows}]}


def test_a_scripts_burst_that_was_measured_in_another_way_is_not_compared() -> None:
    compared: dict[tuple[str, str, str], Compared] = {}
    for _ in range(3):
        against.add(compared, "old", result(method=None, rate=5.0))
        against.add(compared, "new", result(method=2, rate=1.0))
    verdicts = {key[1:]: side.verdict() for key, side in compared.items()}
    assert verdicts == {
        ("hubbub", "rate"): "WORSE",
        ("hubbub", "alone_rate"): "WORSE",
        ("hubbub", "alone_us"): "measured in another way",
        ("hubbub-publish", "rate"): "measured in another way",
        ("hubbub-publish", "alone_rate"): "WORSE",
        ("hubbub-publish", "alone_us"): "measured in another way",
    }
    assert compared["fanout-200", "hubbub-publish", "rate"].line()[5] == "–"


def test_a_scripts_burst_of_two_checkouts_that_bound_it_is_compared() -> None:
    verdicts: dict[tuple[str, str, str], Compared] = {}
    for _ in range(3):
        against.add(verdicts, "old", result(method=2, rate=5.0))
        against.add(verdicts, "new", result(method=2, rate=1.0))
    assert verdicts["fanout-200", "hubbub-publish", "rate"].verdict() == "WORSE"


def test_a_turn_is_started_with_options_that_every_checkout_has() -> None:
    command = command_of("fanout", (200, 1000), Path("r.json"))
    assert command[:3] == [sys.executable, "-m", "bench"]
    known = {"fanout", "--rounds", "--sockets", "--side", "--json", "hubbub", "200", "1000", "2", "r.json"}
    assert set(command[3:]) == known
    assert "--sockets" not in command_of("posts", (200,), Path("r.json"))
    page = command_of("page", (), Path("r.json"))
    assert page[page.index("--rounds") + 1] == "1"  # A round of it takes minutes.


def checkout(folder: Path) -> Path:
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "__init__.py").touch()
    (folder / "bench" / "__main__.py").write_text(OTHER)
    return folder


@pytest.mark.slow
def test_two_checkouts_take_turns_each_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = checkout(tmp_path / "old"), checkout(tmp_path / "new")
    (new / "bench" / "__main__.py").write_text(OTHER.replace("[100.0]", "[250.0]"))
    monkeypatch.setattr("bench.__main__.ROOT", new)
    results = tmp_path / "var" / "against.json"
    assert main(["posts", "--against", str(old), "--rounds", "2", "--json", str(results)]) == 0
    assert (old / "turns").read_text() == (new / "turns").read_text() == "posts\nposts\n"
    printed = capsys.readouterr().out
    said = [line for line in printed.splitlines() if line.startswith("round")]
    assert said == [f"round {turn}, posts: {which}" for turn, which in TURNS]
    [row] = json.loads(results.read_text())
    assert (row["old"], row["new"], row["ratios"]) == ([100.0, 100.0], [250.0, 250.0], [0.4, 0.4])
    assert row["verdict"] == "too few rounds to tell"


TURNS = (("1 of 2", "old"), ("1 of 2", "new"), ("2 of 2", "new"), ("2 of 2", "old"))


@pytest.mark.slow
def test_a_checkout_that_cannot_measure_is_named_with_its_error(tmp_path: Path) -> None:
    broken = checkout(tmp_path / "old")
    (broken / "bench" / "__main__.py").write_text("raise SystemExit('no Redis found')")
    with pytest.raises(SystemExit, match=r"old could not measure posts:\nno Redis found"):
        against.against(broken, broken, ("posts",), (), 1, tmp_path / "against.json")


@pytest.mark.slow
def test_with_the_same_client_the_old_server_is_measured_by_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = checkout(tmp_path / "old"), checkout(tmp_path / "new")
    (new / "bench" / "__main__.py").write_text(OTHER.replace("[100.0]", "[float(open('server').read())]"))
    (old / "server").write_text("1")
    (new / "server").write_text("2")
    (old / "bench" / "__main__.py").write_text("raise SystemExit('the old client')")
    monkeypatch.setattr("bench.__main__.ROOT", new)
    (old / "chat").mkdir()
    (old / "chat" / "topics.py").touch()
    results = tmp_path / "against.json"
    arguments = ["posts", "--against", str(old), "--rounds", "1", "--same-client", "--json", str(results)]
    assert main(arguments) == 0
    [row] = json.loads(results.read_text())
    assert (row["old"], row["new"]) == ([1.0], [2.0])
    assert not (old / "turns").exists()


def test_the_same_client_is_refused_for_a_checkout_of_an_older_protocol(tmp_path: Path) -> None:
    old = checkout(tmp_path / "old")
    with pytest.raises(SystemExit, match=r"old speaks an older protocol than this client\. Leave the option out\."):
        main(["posts", "--against", str(old), "--same-client"])


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no checkout"):
        main(["posts", "--against", str(tmp_path)])


@pytest.mark.soak
@pytest.mark.cluster
def test_this_checkout_beside_itself_measures_real_posts(tmp_path: Path) -> None:
    results = tmp_path / "against.json"
    assert main(["posts", "--against", str(ROOT), "--rounds", "1", "--json", str(results)]) == 0
    rows = json.loads(results.read_text())
    assert {row["measured"] for row in rows} == {"a second", "CPU time of each"}
    assert all(figure > 0 for row in rows for figure in (*row["old"], *row["new"]))
