"""The checker of read positions finds what a page of a person lacks."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chaos.reading import PersonTab, check_tabs

TABLES = """
    CREATE TABLE chat_room (id, slug);
    CREATE TABLE chat_personalstate (user_id INTEGER, room_id, read_seq, read_version, position);
    INSERT INTO chat_room VALUES (1, 'market');
    INSERT INTO chat_personalstate VALUES (7, 1, 5, 2, {position});
"""


def tab(read_seq: int, version: int = 2) -> PersonTab:
    tab = PersonTab("tab", "7", "market", list)
    own = {"read_seq": read_seq, "read_version": version}
    tab.log.view.joined({"complete": False, "epoch": "0", "position": 3, "state": {"rooms": {"market": own}}})
    tab._joined.set()
    return tab


@pytest.mark.parametrize(
    ("read_seq", "version", "position", "found"),
    [
        (5, 2, 3, []),
        (4, 2, 3, ["tab: has read market up to (4, 2), and the database says (5, 2)"]),
        (5, 1, 3, ["tab: has read market up to (5, 1), and the database says (5, 2)"]),
        (5, 2, 0, ["tab: the change of market was not told"]),
    ],
)
async def test_a_difference_to_the_database_is_found(
    tmp_path: Path, read_seq: int, version: int, position: int, found: list[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "site.sqlite3")) as connection:
        connection.executescript(TABLES.format(position=position))
    breaches = await check_tabs(tmp_path / "site.sqlite3", [tab(read_seq, version)], 0.0)
    assert [breach.text for breach in breaches] == found
