"""The natural order of texts: as people expect it, the same in Python and in a database."""

import random

import pytest

from chat.models import Room, room_sort_key
from hubbub.text import natural_key

IN_ORDER = [
    ["Project 2", "project 10", "Project 10a", "Project 100"],
    ["7", "07b", "12", "a"],
    ["Äpfel 1", "apfel 2", "ÄPFEL 03"],
    ["a", "ä b", "b"],
    ["v1.2", "v1.10", "v2"],
    ["Raum ٢", "Raum 3"],  # Arabic-Indic 2.
    ["file²", "file3"],
    ["1" * 30, "2" * 30, "1" * 31],
]


@pytest.mark.parametrize("texts", IN_ORDER, ids=lambda texts: texts[0])
def test_texts_are_in_natural_order(texts: list[str]) -> None:
    shuffled = random.Random(4).sample(texts, len(texts))
    assert sorted(shuffled, key=natural_key) == texts


@pytest.mark.parametrize("text", ["", " ", "\ud800", "😀" * 80, "ﷺ" * 80, "9" * 80, "a\u0301" * 80])
def test_any_text_has_a_key_of_bounded_length(text: str) -> None:
    key = room_sort_key(text, "a" * 50)
    assert len(key) <= 520
    assert key.isascii()


def test_rooms_of_a_database_are_in_natural_order(db: None) -> None:
    titles = ["Project 10", "Project 2", "äpfel", "Zebra", "apfelsaft", "project 1"]
    Room.objects.all().delete()
    for number, title in enumerate(titles):
        Room.objects.create(slug=f"room-{number}", title=title)
    assert [room.title for room in Room.objects.all()] == [
        "äpfel", "apfelsaft", "project 1", "Project 2", "Project 10", "Zebra",
    ]  # fmt: skip
    renamed = Room.objects.get(title="Project 2")
    renamed.title = "Project 11"
    renamed.save(update_fields=["title"])
    assert [room.title for room in Room.objects.all()][2:5] == ["project 1", "Project 10", "Project 11"]
