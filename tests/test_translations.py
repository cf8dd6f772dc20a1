"""The catalogues: complete, made of the texts that the code has now, with the placeholders of the English texts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from django.utils import translation

from scripts import messages

EACH = [
    pytest.param(app, language, domain, id=f"{app}-{language}-{domain}")
    for app in messages.APPS
    for language in messages.LANGUAGES
    for domain in messages.DOMAINS
]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|%[sd]")
MARKUP = re.compile(r"<[^>]*>")


def problems(catalog: Catalog, texts: Catalog) -> Iterator[str]:
    """What is wrong with a catalogue, for the texts of the code."""
    for text in texts:
        if text.id and catalog.get(text.id, text.context) is None:
            yield f"not in the catalogue: {text.id!r}. Run `make messages`."
    for message in catalog:
        if not message.id:
            continue
        if texts.get(message.id, message.context) is None:
            yield f"no longer in the code: {message.id!r}. Run `make messages`."
        elif message.fuzzy:
            yield f"fuzzy: {message.id!r}"
        elif not messages.translated(message):
            yield f"not translated: {message.id!r}"
        else:
            yield from wrong_parts(message, catalog.num_plurals)


def wrong_parts(message: Any, forms: int) -> Iterator[str]:
    english = message.id if isinstance(message.id, tuple) else (message.id,)
    translations = message.string if isinstance(message.string, tuple) else (message.string,)
    if isinstance(message.id, tuple) and len(translations) != forms:
        yield f"{len(translations)} forms instead of {forms}: {message.id!r}"
    for pattern in (PLACEHOLDER, MARKUP):
        allowed = [sorted(pattern.findall(text)) for text in english]
        for text in translations:
            if sorted(pattern.findall(text)) not in allowed:
                yield f"other placeholders or marks: {message.id!r}: {text!r}"


@pytest.mark.parametrize(("app", "language", "domain"), EACH)
def test_every_text_has_a_translation_with_the_same_placeholders(app: str, language: str, domain: str) -> None:
    assert [*problems(messages.read(app, language, domain), messages.texts_of(app, domain))] == []


@pytest.mark.parametrize(("app", "language", "domain"), EACH)
def test_the_files_that_pages_use_are_made_of_the_catalogue(app: str, language: str, domain: str) -> None:
    catalog = messages.read(app, language, domain)
    made = messages.made_path(app, language, domain)
    assert made.exists() == bool(len(catalog))
    if len(catalog):
        assert messages.po_path(app, language, domain).read_bytes() == messages.po_data(catalog)
        assert made.read_bytes() == messages.made_data(domain, catalog), "run `make messages`"


def test_wrong_catalogues_are_found() -> None:
    texts, catalog = Catalog(), Catalog(locale="de")
    for text in ("Rooms", "%(n)s new", ("%(n)s room", "%(n)s rooms"), "<b>bold</b>", "new"):
        texts.add(text)
    catalog.add("Rooms", "")
    catalog.add("%(n)s new", "%(m)s neu")
    catalog.add(("%(n)s room", "%(n)s rooms"), ("%(n)s Raum",))
    catalog.add("<b>bold</b>", "fett")
    catalog.add("old", "alt")
    found = "\n".join(problems(catalog, texts))
    for words in ("not in the catalogue: 'new'", "not translated: 'Rooms'", "no longer in the code: 'old'"):
        assert words in found
    assert "1 forms instead of 2" in found
    assert found.count("other placeholders or marks") == 2


def test_texts_of_scripts_are_found_wherever_a_call_stands(tmp_path: Path) -> None:
    script = tmp_path / "page.js"
    script.write_text(
        'const a = html`<b>${has ? html`<i title=${gettext("One")}>${gettext("It\'s \\"two\\"")}</i>` : ""}</b>`;\n'
        'show(interpolate(ngettext("%(n)s new", "%(n)s new ones", n), { n }), pgettext("verb", "Post"));\n'
        "gettext(known);\n"
    )
    found = [(text, context) for _, text, _, context in messages.texts_in(script)]
    assert found == [("One", None), ('It\'s "two"', None), (("%(n)s new", "%(n)s new ones"), None), ("Post", "verb")]
    script.write_text("gettext(`${n} new`)")
    with pytest.raises(ValueError, match="no literal"):
        messages.texts_in(script)


def test_pages_use_the_catalogues() -> None:
    with translation.override("de"):
        assert translation.gettext("Your account") == "Dein Konto"
        assert translation.ngettext("%(count)d hour", "%(count)d hours", 2) == "%(count)d Stunden"
