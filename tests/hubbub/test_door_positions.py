"""The ids of streams: positions of topics, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.asgi.doors.positions import MAX_BYTES, fits, pack, unpack

TOPICS = st.text(min_size=1, max_size=60)
EPOCHS = st.text("0123456789abcdef-", max_size=36)


@given(st.dictionaries(TOPICS, st.tuples(EPOCHS, st.integers(-1, 2**63 - 1)), max_size=10))
def test_what_is_packed_is_unpacked(positions: dict[str, tuple[str, int]]) -> None:
    text = pack(positions)
    assert text.isascii()
    assert text.isprintable()
    if len(text) <= MAX_BYTES:
        assert unpack(text) == positions


@given(st.lists(st.text("abcdefgh/0123456789", min_size=1, max_size=200), max_size=80, unique=True))
def test_the_positions_of_topics_that_fit_are_a_header(topics: list[str]) -> None:
    if fits(topics):
        assert len(pack(dict.fromkeys(topics, ("f" * 32, 2**63 - 1)))) <= MAX_BYTES


def test_keys_in_any_letters_are_packed_and_unpacked() -> None:
    known = {f"room/{'界' * 190}": ("7e7ebbf7d2b26446", 41), "list/a b:c,d": ("", 0)}
    assert unpack(pack(known)) == known


def test_an_epoch_that_has_no_place_leaves_its_topic_out() -> None:
    known = {"poll/7": ("e" * 43, 1), "poll/8": ("e" * 42, 2)}
    assert unpack(pack(known)) == {"poll/8": ("e" * 42, 2)}


@pytest.mark.parametrize("text", ["42", "a:b", "a:b:c", "a:b:1,", ",", "a:b:1;c:d:2", "a b:c:1", "a:b:" + "1" * 20])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        unpack(text)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 4096"):
        unpack("x" * 5000)
