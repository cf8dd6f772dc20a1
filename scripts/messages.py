"""Collects the texts of all apps and makes the catalogues: `python -m scripts.messages`; `make messages`.

By Babel, so that no program of gettext is needed. Each app has `locale/<language>/LC_MESSAGES/`: django.po for Python
and templates, with its compiled .mo, and djangojs.po for scripts, of which `static/<app>/texts/<language>.js` is made.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
APPS = ("hubbub", "chat", "monitor", "project")
LANGUAGES = ("de",)
DOMAINS = ("django", "djangojs")
WIDTH = 120

KEYWORDS: dict[str, Any] = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "gettext_noop": None,
}
CALL = re.compile(r"\b(gettext|ngettext|pgettext|gettext_noop)\(\s*")
ARGUMENT = re.compile(r'("(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')\s*,?\s*')
LITERALS = {"gettext": 1, "gettext_noop": 1, "ngettext": 2, "pgettext": 2}


class Reproducible(Catalog):
    """A catalogue whose compiled form has no date and no version of a tool."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Language", str(self.locale)),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Plural-Forms", self.plural_forms),
        ]


Found = tuple[int, str, Any, list[str]]


def main() -> None:
    lacking = 0
    for app in APPS:
        for language in LANGUAGES:
            for domain in DOMAINS:
                catalog = renewed(app, language, domain)
                write(app, language, domain, catalog)
                lacking += report(app, domain, catalog)
    sys.exit(f"{lacking} texts have no translation." if lacking else 0)


def renewed(app: str, language: str, domain: str) -> Catalog:
    """The catalogue with the texts that the code has now, and the translations that it had."""
    catalog = read(app, language, domain)
    catalog.update(texts_of(app, domain), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def read(app: str, language: str, domain: str) -> Catalog:
    path = po_path(app, language, domain)
    if not path.exists():
        return Catalog(locale=language, domain=domain, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def texts_of(app: str, domain: str) -> Catalog:
    """The texts that the code of an app marks, with the files that have them."""
    catalog = Catalog(domain=domain, fuzzy=False)
    for path in sources(app, domain):
        for _, text, comments, context in texts_in(path):
            place = (path.relative_to(ROOT).as_posix(), 1)
            catalog.add(text, locations=[place], auto_comments=comments, context=context)
    return catalog


def sources(app: str, domain: str) -> Iterator[Path]:
    suffixes = {".js"} if domain == "djangojs" else {".py", ".html", ".txt"}
    for path in sorted((ROOT / app).rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.suffix not in suffixes or {"vendor", "migrations", "texts", "__pycache__"} & {*parts}:
            continue
        if path.suffix in (".py", ".js") or "templates" in parts:
            yield path


def texts_in(path: Path) -> Iterable[Any]:
    """The texts of a file, as Babel's `extract` gives them."""
    source = path.read_text()
    method: Any = "python"
    if path.suffix == ".js":
        method = texts_of_script
    elif path.suffix != ".py":
        # Python's own tokens: indentation means nothing in a template.
        lines = templatize(source, origin=path.name).splitlines()
        source = "\n".join(line.lstrip() for line in lines)
    return list(extract(method, BytesIO(source.encode()), keywords=KEYWORDS, comment_tags=["Translators:"]))


def texts_of_script(file: Any, keywords: Any, comment_tags: Any, options: Any) -> Iterator[Found]:
    """Babel's own reader of scripts loses its way in templates within templates. Here a call is one wherever it stands.

    Raises:
        ValueError: for a call whose text is not a literal.
    """
    source = file.read().decode()
    for call in CALL.finditer(source):
        if source[: call.start()].endswith("function "):
            continue
        name, place, texts = call[1], call.end(), []
        while len(texts) < LITERALS[name] and (argument := ARGUMENT.match(source, place)):
            texts.append(unquoted(argument[1]))
            place = argument.end()
        if len(texts) < LITERALS[name]:
            if name == "gettext" and re.match(r"[a-z]\w*\)", source[call.end() :]):
                continue  # Of a text that `gettext_noop` has marked.
            raise ValueError(f"the text is no literal: {source[call.start() : call.end() + 40]!r}")
        yield source[: call.start()].count("\n") + 1, name, texts[0] if len(texts) == 1 else tuple(texts), []


def unquoted(literal: str) -> str:
    """The value of a JavaScript string."""
    inner = literal[1:-1].replace("\\'", "'")
    value: str = json.loads(f'"{inner}"' if literal[0] == '"' else '"{}"'.format(inner.replace('"', '\\"')))
    return value


def write(app: str, language: str, domain: str, catalog: Catalog) -> None:
    """Write the .po file and what is made of it; a catalogue without texts has no file."""
    path = po_path(app, language, domain)
    if not len(catalog):
        path.unlink(missing_ok=True)
        made_path(app, language, domain).unlink(missing_ok=True)
        return
    for target, data in ((path, po_data(catalog)), (made_path(app, language, domain), made_data(domain, catalog))):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def po_path(app: str, language: str, domain: str) -> Path:
    return ROOT / app / "locale" / language / "LC_MESSAGES" / f"{domain}.po"


def made_path(app: str, language: str, domain: str) -> Path:
    """The file that pages use."""
    if domain == "djangojs":
        return ROOT / app / "static" / app / "texts" / f"{language}.js"
    return po_path(app, language, domain).with_suffix(".mo")


def po_data(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_po(file, catalog, width=WIDTH, omit_header=True, sort_output=True, include_lineno=False)
    header = (
        f'msgid ""\nmsgstr ""\n"Language: {catalog.locale}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return header.encode() + file.getvalue().strip() + b"\n"


def made_data(domain: str, catalog: Catalog) -> bytes:
    if domain == "django":
        file, reproducible = BytesIO(), Reproducible(locale=catalog.locale)
        for message in catalog:
            if message.id:
                reproducible[message.id] = message
        write_mo(file, reproducible)
        return file.getvalue()
    texts = {}
    for message in sorted((message for message in catalog if message.id and translated(message)), key=key_of):
        texts[key_of(message)] = message.string
    lines = json.dumps(texts, ensure_ascii=False, indent=2)
    plural = catalog.plural_expr
    return (
        "// Made by `make messages` from the app's djangojs.po.\n"
        f"(globalThis.hubbubTexts ??= []).push({{ plural: (n) => Number{plural}, texts: {lines} }});\n"
    ).encode()


def key_of(message: Any) -> str:
    text = message.id[0] if isinstance(message.id, tuple) else message.id
    return f"{message.context}\u0004{text}" if message.context else str(text)


def translated(message: Any) -> bool:
    """Whether all forms have a translation."""
    return all(message.string) if isinstance(message.string, tuple) else bool(message.string)


def report(app: str, domain: str, catalog: Catalog) -> int:
    """Print what has no translation, and return the number."""
    lacking = [message for message in catalog if message.id and not translated(message)]
    for message in lacking:
        sys.stderr.write(f"{app} {domain}: {message.id!r}\n")
    return len(lacking)


if __name__ == "__main__":
    main()
