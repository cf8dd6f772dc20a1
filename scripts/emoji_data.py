"""Make the list of emoji that the page shows, from two npm packages: names and groups, and the words to search by.

Run `python -m scripts.emoji_data` after a new version of either package; `tests/test_vendored.py` compares the result.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDORED = ROOT / "chat/static/chat/vendor/emoji/emoji.js"
MAX_VERSION = 15.0  # Later emoji are empty boxes on many devices.
HEAD = "// Made by scripts/emoji_data.py: groups of [emoji, name, words to search by]. See README.md.\nexport default "


def main() -> None:
    VENDORED.write_text(module(PACKAGES))


def module(packages: Path) -> str:
    """The JavaScript module of all groups."""
    listed: list[dict[str, Any]] = json.loads((packages / "unicode-emoji-json/data-by-group.json").read_text())
    words: dict[str, list[str]] = json.loads((packages / "emojilib/dist/emoji-en-US.json").read_text())
    groups = [
        [group["name"], [entry(emoji, words) for emoji in group["emojis"] if is_shown(emoji)]] for group in listed
    ]
    lines = ",\n".join(json.dumps(group, ensure_ascii=False, separators=(",", ":")) for group in groups)
    return f"{HEAD}[\n{lines},\n];\n"


def is_shown(emoji: dict[str, Any]) -> bool:
    return float(emoji["emoji_version"]) <= MAX_VERSION


def entry(emoji: dict[str, Any], words: dict[str, list[str]]) -> list[str]:
    """Its words are those that its name lacks."""
    sign, name = emoji["emoji"], emoji["name"]
    in_name = set(re.findall(r"\w+", name))
    search = {word.replace("_", " ") for word in words.get(sign, [])} - {name, *in_name}
    return [sign, name, " ".join(sorted(search))]


if __name__ == "__main__":
    main()
