"""The description on the page of a package index, from README.md: an index has no other file of the repository.

Relative links get the addresses of `[tool.hatch.metadata.hooks.custom]` in pyproject.toml. As long as the repository
has no public address, a link becomes its text with the path, and a picture its description.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
# `[text](target)` and `![description](target)`; the text may have a pair of brackets in it.
LINK = re.compile(r"(?P<mark>!?)\[(?P<text>(?:[^][]|\[[^]]*\])*)\]\((?P<path>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:")


class DescriptionHook(MetadataHookInterface):
    """Sets `readme`, which pyproject.toml lists as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        addresses = {name: self.config.get(name, "") for name in ("file-url", "picture-url")}
        described = description(text, metadata["version"], addresses["file-url"], addresses["picture-url"])
        metadata["readme"] = {"content-type": "text/markdown", "text": described}


def description(readme: str, version: str, file_url: str = "", picture_url: str = "") -> str:
    """The text of README.md without a relative link.

    Args:
        readme: Its Markdown.
        version: Of the package, for `{version}` in an address.
        file_url: The address of a file or folder, with `{path}` and, if it has one, `{version}`; empty: there is none.
        picture_url: Likewise, the address of the bytes of a picture.

    Raises:
        ValueError: An address is not absolute, or has no `{path}`.
    """
    for name, url in (("file-url", file_url), ("picture-url", picture_url)):
        if url and not ("{path}" in url and ABSOLUTE.match(url)):
            raise ValueError(f'pyproject.toml: {name} = "{url}": an absolute address with {{path}} is allowed, or ""')

    def with_address(link: "re.Match[str]") -> str:
        if ABSOLUTE.match(link["path"]):
            return link[0]
        url = picture_url if link["mark"] else file_url
        if not (url and link["path"]):
            return f"*{link['text']}*" if link["mark"] else _with_path(link["text"], link["path"])
        address = url.replace("{version}", version).replace("{path}", link["path"])
        return f"{link['mark']}[{link['text']}]({address}{link['anchor'] or ''})"

    parts = FENCE.split(readme)
    return "".join(part if part.startswith("```") else LINK.sub(with_address, part) for part in parts)


def _with_path(text: str, path: str) -> str:
    """The text of a link that has no address: the path is a file of the source archive."""
    return text if path in text else f"{text} (`{path}`)"
