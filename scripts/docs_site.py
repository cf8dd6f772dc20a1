"""A hook of MkDocs: pages outside of docs/ become pages of the site, and links between all of them are kept.

In the repository links are relative to the file. In the site these pages lie elsewhere. A link to a file that is no
page, such as code, becomes its text.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# By path in the repository: the path in the site.
OTHERS = {name: f"project/{name}" for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")} | {
    os.fspath(path.relative_to(ROOT)): os.fspath(path.relative_to(ROOT)) for path in ROOT.glob("examples/**/README.md")
}
LINK = re.compile(r"(?P<text>!?\[(?:[^][]|\[[^]]*\])*\])\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages outside of docs/."""
    for source, target in OTHERS.items():
        files.append(File.generated(config, target, abs_src_path=os.fspath(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, files: Files, **_: Any) -> str:
    """Let links lead to where the pages are in the site. Code stays as it is."""
    folder = Path(page.file.abs_src_path).parent
    here = os.path.dirname(page.file.src_uri)

    def in_site(link: "re.Match[str]") -> str:
        if "://" in link["target"] or link["target"].startswith("mailto:"):
            return link[0]
        path = (folder / link["target"]).resolve()
        source = os.path.relpath(path / "README.md" if path.is_dir() else path, ROOT)
        target = OTHERS.get(source, source.removeprefix("docs/"))
        if files.get_file_from_path(target) is None:
            exists = path.exists() and not source.startswith("docs/")
            return link["text"].strip("[]") if exists else link[0]
        return f"{link['text']}({os.path.relpath(target, here or '.')}{link['anchor'] or ''})"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(in_site, part) for part in parts)
