"""Keys of names: look-alikes share a key, other names do not."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chat.validators import without_blank_lines
from hubbub.text.confusables import fold_name, is_ignorable, name_key, prototypes, script_of, shown_key

CHARACTERS = [chr(code) for code in range(0x32000) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("admin", "\u0430dmin"),
        ("alice", "Alice"),
        ("alice", "alıce"),
        ("alice", "AIice"),
        ("alice", "a1ice"),
        ("alice", "alice\u1160"),
        ("alice", "ali\u200bce"),
        ("alice", "ａｌｉｃｅ"),
        ("alice", "𝐚lice"),
        ("alice", "ali\u0307ce"),
        ("alice", "ᴀʟɪᴄᴇ"),
        ("Ivan", "lvan"),
        ("tom", "\u0422\u041e\u041c"),
        ("bob", "\u0432\u043e\u0432"),
        ("bob", "b\u05e1b"),
        ("modern", "rnodem"),
        ("user0", "userO"),
        ("strasse", "straße"),
        ("José", "Jose\u0301"),
    ],
)
def test_names_that_are_drawn_alike_have_one_key(name: str, alike: str) -> None:
    assert name_key(name) == name_key(alike)


@pytest.mark.parametrize(
    ("name", "other"), [("Zoe", "Zoë"), ("Anna", "Αννα"), ("luna", "lyna"), ("nina", "vina"), ("Мария", "Мариа")]
)
def test_names_that_are_drawn_differently_have_two_keys(name: str, other: str) -> None:
    assert name_key(name) != name_key(other)


def test_a_word_of_greek_capitals_is_found_by_how_it_is_shown() -> None:
    assert shown_key("\u0391\u039d\u039d\u0391") == name_key("anna")
    assert name_key("\u0391\u039d\u039d\u0391") == name_key("\u03b1\u03bd\u03bd\u03b1")


@pytest.mark.slow
def test_the_key_of_a_key_and_of_the_other_case_is_the_key() -> None:
    for character in CHARACTERS:
        key = name_key(character)
        assert name_key(key) == key
        assert name_key(character.lower()) == name_key(character.upper()) or character in "\u0345\u1e9e", character


@pytest.mark.slow
@given(some.text(max_size=20))
def test_the_key_of_any_text_is_stable(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert fold_name(fold_name(text)) == fold_name(text)


def test_only_confusable_ascii_names_share_a_key() -> None:
    by_key: dict[str, set[str]] = {}
    for character in string.ascii_lowercase + string.digits:
        by_key.setdefault(name_key(character), set()).add(character)
    assert [group for group in by_key.values() if len(group) > 1] == [{"i", "l", "1"}, {"o", "0"}]


def test_the_library_has_the_whole_table_and_its_prototypes() -> None:
    # By confusables.txt, with letters of Hebrew and Arabic, around which its lines have marks of direction.
    expected = {"\u0430": "a", "m": "rn", "I": "l", "\u05e1": "o", "\u0647": "o", "\u2170": "i"}
    assert {character: prototypes().get(character) for character in expected} == expected
    assert len(prototypes()) > 6_000
    # Nothing is the likeness of a likeness.
    assert not [character for character, prototype in prototypes().items() if prototype in prototypes()]


def test_a_message_of_ignorable_characters_alone_is_blank() -> None:
    assert {character for character in CHARACTERS if is_ignorable(character)} <= {
        character for character in CHARACTERS if not without_blank_lines(character)
    }


@pytest.mark.parametrize(
    ("character", "script"),
    [
        ("a", "LATIN"),
        ("а", "CYRILLIC"),
        ("ע", "HEBREW"),
        ("1", "COMMON"),
        ("\u0301", "INHERITED"),
        ("\U0003fffd", "UNKNOWN"),
    ],
)
def test_characters_have_their_script(character: str, script: str) -> None:
    assert script_of(character) == script
