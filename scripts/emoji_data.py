"""Make the list of emoji that the page shows, from npm packages: names and groups, and the words to search by.

Run `python -m scripts.emoji_data` after a new version of a package; `tests/test_vendored.py` compares the result.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDORED = ROOT / "chat/static/chat/vendor/emoji/emoji.js"
# Of the emoji in the list, in its order.
NAMES = {"de": VENDORED.with_name("emoji-de.js")}
MAX_VERSION = 15.0  # Later emoji are empty boxes on many devices.
MADE = "// Made by scripts/emoji_data.py: "
HEAD = f"{MADE}groups of [emoji, name, words to search by]. See README.md.\nexport default "
NAMES_HEAD = f"{MADE}[name, words to search by] of each emoji in emoji.js. See README.md.\nexport default "
VARIANT = "\ufe0f"  # Asks for the coloured form; packages differ on it.


def main() -> None:
    VENDORED.write_text(module(PACKAGES))
    for language, path in NAMES.items():
        path.write_text(names_module(PACKAGES, language))


def module(packages: Path) -> str:
    """The JavaScript module of all groups."""
    words: dict[str, list[str]] = json.loads((packages / "emojilib/dist/emoji-en-US.json").read_text())
    groups = [
        [group["name"], [entry(emoji, words) for emoji in group["emojis"] if is_shown(emoji)]]
        for group in listed(packages)
    ]
    return f"{HEAD}[\n{lines_of(groups)},\n];\n"


def names_module(packages: Path, language: str) -> str:
    """The JavaScript module with the names in a language, which are those of Unicode's CLDR."""
    named: list[dict[str, Any]] = json.loads((packages / f"emojibase-data/{language}/compact.json").read_text())
    by_sign = {emoji["unicode"].replace(VARIANT, ""): emoji for emoji in named}
    names = [names_of(by_sign[sign.replace(VARIANT, "")]) for sign in signs(packages)]
    return f"{NAMES_HEAD}[\n{lines_of(names)},\n];\n"


def listed(packages: Path) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = json.loads((packages / "unicode-emoji-json/data-by-group.json").read_text())
    return groups


def signs(packages: Path) -> Iterator[str]:
    for group in listed(packages):
        yield from (emoji["emoji"] for emoji in group["emojis"] if is_shown(emoji))


def is_shown(emoji: dict[str, Any]) -> bool:
    return float(emoji["emoji_version"]) <= MAX_VERSION


def entry(emoji: dict[str, Any], words: dict[str, list[str]]) -> list[str]:
    sign, name = emoji["emoji"], emoji["name"]
    return [sign, name, search_words(name, (word.replace("_", " ") for word in words.get(sign, [])))]


def names_of(emoji: dict[str, Any]) -> list[str]:
    name = emoji["label"]
    return [name, search_words(name, emoji.get("tags", []), in_name=re.findall(r"\w+", name.lower()))]


def search_words(name: str, words: Iterable[str], in_name: Iterable[str] = ()) -> str:
    """Its words are those that its name lacks."""
    return " ".join(sorted({*words} - {name, *re.findall(r"\w+", name), *in_name}))


def lines_of(rows: Iterable[Any]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)


if __name__ == "__main__":
    main()
