"""The checker of lists of rooms finds what a page lacks, has too much, or shows old."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chaos.listing import ListView, Watcher, check_lists

TABLES = """
    CREATE TABLE chat_room (id, slug, is_private, last_seq);
    CREATE TABLE chat_membership (room_id, user_id, role, banned_until);
    CREATE TABLE chat_personalstate (room_id, user_id, has_left);
    INSERT INTO chat_room VALUES (1, 'open', 0, 5), (2, 'mine', 1, 2), (3, 'theirs', 1, 9);
    INSERT INTO chat_room VALUES (4, 'left', 0, 1), (5, 'ban', 0, 1);
    INSERT INTO chat_membership VALUES (2, 7, 'member', NULL), (3, 8, 'member', NULL), (5, 7, 'none', '2999-01-01');
    INSERT INTO chat_personalstate VALUES (4, 7, 1);
"""


def watcher(*rooms: tuple[str, int]) -> Watcher:
    made = Watcher("page", "/ws/chat/", "rooms", ListView(), list)
    items = [{"slug": slug, "last_seq": seq} for slug, seq in rooms]
    made.log.view.joined({"complete": False, "epoch": "0", "position": 0, "state": {"items": items, "more": False}})
    made._joined.set()
    return made


@pytest.mark.parametrize(
    ("rooms", "found"),
    [
        ([("open", 5), ("mine", 2)], []),
        ([("open", 5)], ["page: lists mine at None, and the database says 2"]),
        ([("open", 4), ("mine", 2)], ["page: lists open at 4, and the database says 5"]),
        ([("open", 5), ("mine", 2), ("theirs", 9)], ["page: lists theirs at 9, and the database says None"]),
        ([("open", 5), ("mine", 2), ("ban", 1)], ["page: lists ban at 1, and the database says None"]),
    ],
)
async def test_a_difference_to_the_database_is_found(
    tmp_path: Path, rooms: list[tuple[str, int]], found: list[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "site.sqlite3")) as connection:
        connection.executescript(TABLES)
    breaches = await check_lists(tmp_path / "site.sqlite3", [("7", watcher(*rooms))], 0.0)
    assert [breach.text for breach in breaches] == found


def test_a_list_takes_moves_in_order() -> None:
    view = watcher(("a", 1)).log.view
    view.take({"type": "moved", "items": [{"slug": "a", "last_seq": 3}, {"slug": "b", "last_seq": 1}]})
    view.take({"type": "gone", "keys": ["b"]})
    assert (view.rooms, view.breaches) == ({"a": 3}, [])
    view.take({"type": "moved", "items": [{"slug": "a", "last_seq": 2}]})
    assert [breach.kind for breach in view.breaches] == ["disordered"]
