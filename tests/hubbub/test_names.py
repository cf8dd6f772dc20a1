"""Deceptive names: invisible characters, direction controls, look-alikes."""

import unicodedata

import pytest
from django.core.exceptions import ValidationError

from hubbub.text.names import is_reserved, normalize_name, validate_name, validate_user_name


@pytest.mark.parametrize(
    "name",
    [
        "General",
        "Räume & <b>mehr</b>",
        "日本語",
        "日本語Café",
        "\u05e9\u05dc\u05d5\u05dd\u200e!",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "Team \U0001f469\u200d\U0001f467",
        "❤\ufe0f love, 1\ufe0f\u20e3 first",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f England",
        "IT-отдел",
        "ห้องIT",
        "שיעור API",
        "5 \u00b5m",
        "ΔT log",
        "\u03bcTorrent",
        "10kΩ",
        "\u2139\ufe0f Info",
        "Surf \u3030\ufe0f",
        "PDF\u200cها",
        "രമേശന്\u200d",
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
        ("a filler of Hangul", "a\u1160"),
        ("another filler, which is a letter", "a\u3164"),
        ("a joiner where nothing is joined", "a\u200db"),
        ("a joiner at the end", "न\u200d"),
        ("a selector of no emoji", "a\ufe0fb"),
        ("a tag of no flag", "a\U000e0067b"),
        ("a soft hyphen", "a\u00adb"),
        ("a mark of direction where all goes in one", "a\u200eb"),
        ("a blank of Braille", "a\u2800b"),
        ("a full blank of hieroglyphs", "a\U00013441b"),
        ("half a blank of hieroglyphs", "a\U00013442b"),
    ],
)
def test_a_name_that_deceives_is_refused_with_the_character(attack: str, name: str) -> None:
    with pytest.raises(ValidationError, match=rf"U\+{ord(name[1]):04X} is not allowed"):
        validate_name(name)


@pytest.mark.parametrize(
    ("attack", "name", "code"),
    [
        ("a Cyrillic letter in a Latin word", "G\u0435neral", "mixed_scripts"),
        ("a Latin letter in a Cyrillic word", "\u0416\u0435\u043ba", "mixed_scripts"),
        ("a Greek letter in a Latin word", "Alph\u03b1", "mixed_scripts"),
        ("a Greek symbol within a Latin word", "G\u03bcest", "mixed_scripts"),
        ("two Greek symbols in a Latin word", "\u03bcser\u03c0", "mixed_scripts"),
        ("a Greek symbol in a Cyrillic word", "\u03c0\u043f\u0430", "mixed_scripts"),
        ("a Hebrew letter like o in a Latin word", "R\u05e1om", "mixed_scripts"),
        ("Cyrillic and Greek", "\u043f\u03c1", "mixed_scripts"),
        ("signs alone", "!!!", "no_letter"),
        ("an emoji alone", "\U0001f389", "no_letter"),
        ("a filler alone", "\u3164", "invisible"),
        ("marks over marks", "a\u0301\u0302\u0303\u0304\u0306", "marks"),
        ("a mark twice, seen once", "a\u0301\u0301", "marks"),
        ("a mark of nothing", "\u0301a", "marks"),
    ],
)
def test_a_look_alike_or_invisible_title_is_refused(attack: str, name: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_name(name)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "name",
    [
        "हिन्दी",
        "สวัสดี",
        "สมชาย123",
        "Ali",
        "Zoë",
        "Jürgen",
        "Nguyễn",
        "דוד",
        "מִרְיָם",
        "Мария",
        "Γιώργος",
        "დავით",
        "李雷",
        "たろう",
        "山田_太郎",
        "ジョン・スミス",
        "김철수",
        "AKB山",
        "ရွှေ",
        "བཀྲ་ཤིས",
        "অনিক",
        "అమ్మ",
        "മലയാളം",
        "ʻOkina",
        "İlker",
        "alice.b+c@example.org",
        "bea-2",
        "علی\u200cرضا",
        "ශ්\u200dරී",
        "രമേശന്\u200d",
        "র\u200d্যাচেল",
        "ರ\u200d್ಯಾಂಕ್",
        "〇一",
    ],
)
def test_user_names_of_all_languages_are_taken(name: str) -> None:
    name = unicodedata.normalize("NFKC", name)
    validate_user_name(name)
    assert not is_reserved(name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("\u0430dmin", "mixed_scripts"),
        ("p\u0430ypal", "mixed_scripts"),
        ("\u03bcser", "mixed_scripts"),
        ("alice\u1160", "invisible"),
        ("\u1160", "invisible"),
        ("\u3164", "invisible"),
        ("\U00013441", "invisible"),
        ("\U00013442\U00013441", "invisible"),
        ("a\u200cb", "invisible"),
        ("日\ufe00", "invisible"),
        ("न्\u200d\u200d", "invisible"),
        ("\u200d्न", "invisible"),
        ("PDF\u200cها", "invisible"),
        ("ها\u200c", "invisible"),
        ("א\u200eב", "invisible"),
        ("@everyone", "characters"),
        ("@bob", "characters"),
        ("two words", "characters"),
        ("party\U0001f389", "characters"),
        ("-_-", "no_letter"),
    ],
)
def test_a_user_name_that_deceives_is_refused(name: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_user_name(name)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "name",
    [
        "everyone",
        "@everyone",
        "every_one",
        "Here",
        "ADMIN",
        "adm1n",
        "аdmin",
        "аdmіn",
        "ᴀᴅᴍɪɴ",
        "rnoderator",
        "ROOT",
        "y0u",
        "admin\u30fb",
        "admin\u05f3",
        "\u05f4admin",
        "admin\ua78c",
        "admin\u01c3",
        "admin\u01c0",
        "admin\u02c8",
        "ad\u02b9min",
        "adm1n\ua78c",
    ],
)
def test_names_of_the_site_and_of_everybody_are_reserved_however_they_are_written(name: str) -> None:
    assert is_reserved(name)


def test_look_alikes_have_one_key() -> None:
    assert normalize_name("Cafe\u0301") == "Café"
