"""Names that deceive: what is not seen, or changes how the rest is read."""

import pytest
from django.core.exceptions import ValidationError

from realtime.names import normalize_name, validate_name


@pytest.mark.parametrize(
    "name",
    [
        "General",
        "Räume & <b>mehr</b>",
        "日本語",
        "\u05e9\u05dc\u05d5\u05dd\u200e!",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f467",
        "a\u00a0b",
        "",
    ],
)
def test_names_of_all_languages_are_taken(name: str) -> None:
    validate_name(name)


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        ("NUL", "a\0b"),
        ("another line in a log or a header", "a\r\nb"),
        ("an escape sequence of a terminal", "a\x1b[2Kb"),
        ("a C1 control", "a\x9bb"),
        ("a tab", "a\tb"),
        ("letters read backwards", "a\u202egnp.exe"),
        ("an isolate without end", "a\u2066b"),
        ("an embedding without end", "a\u202ab"),
        ("a separator of lines", "a\u2028b"),
        ("a separator of paragraphs", "a\u2029b"),
        ("half a character", "a\ud800b"),
    ],
)
def test_a_name_that_deceives_is_refused_with_the_character(attack: str, name: str) -> None:
    with pytest.raises(ValidationError, match=rf"U\+{ord(name[1]):04X} is not allowed"):
        validate_name(name)


def test_what_looks_alike_is_alike() -> None:
    assert normalize_name("Cafe\u0301") == "Café"
