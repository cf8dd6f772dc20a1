"""A copy of the project that tests change under a running site, and visitors that load whole pages."""

import http.client
import re
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from tests.support.servers import ROOT

PACKAGES = ("hubbub", "chat", "monitor", "project", "chaos")
NAMED = re.compile(r"""["'(](/static/[^"'()\s]+)["')]""")  # In a page.
IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")  # In a module.
COMMENT = re.compile(r"/\*.*?\*/|^//.*?$", re.DOTALL | re.MULTILINE)  # In both; it names types, which are no files.
SHOWN = re.compile(r"""url\(["']?([^"')]+)["']?\)""")  # In a style sheet.
TIMEOUT_SECONDS = 15

MIGRATION = """
from django.db import migrations, models
{before}

class Migration(migrations.Migration):
    dependencies = [("{app}", "{parent}")]
    operations = [{operation}]
"""


def copy_project(folder: Path) -> Path:
    folder.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    return folder


def add_migration(root: Path, app: str, name: str, operation: str, before: str = "") -> Path:
    """A migration after the last one of the app in the copy `root`."""
    folder = root / app / "migrations"
    parent = sorted(path.stem for path in folder.glob("[0-9]*.py"))[-1]
    path = folder / f"{int(parent[:4]) + 1:04}_{name}.py"
    path.write_text(MIGRATION.format(app=app, parent=parent, operation=operation, before=before))
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


class Visitors:
    """Threads that load pages with every file named in them, each over a new connection."""

    def __init__(self, url: str, cookie: str, pages: Sequence[str], *, count: int = 2) -> None:
        self._host = urlsplit(url).netloc
        self._cookie = cookie
        self._pages = pages
        self.failures: list[str] = []
        self.loaded: Counter[str] = Counter()
        self.files: set[str] = set()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Visitors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def load(self, page: str) -> str:
        """Load the page and all files named in it; return the page."""
        text = self._get(page)
        waiting, seen = set(NAMED.findall(text)), set[str]()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            content = self._get(name)
            pattern = {".js": IMPORTED, ".css": SHOWN}.get(Path(name).suffix)
            if pattern is not None:
                names = pattern.findall(COMMENT.sub("", content))
                named = {urljoin(name, link) for link in names if link.startswith((".", "/static/"))}
                waiting |= named - seen
        self.files |= seen
        self.loaded[page] += 1
        return text

    def _visit(self, number: int) -> None:
        while not self._done.is_set():
            for page in [*self._pages[number:], *self._pages[:number]]:
                if not self._done.is_set():
                    self.load(page)

    def _get(self, path: str) -> str:
        headers = {"Cookie": f"sessionid={self._cookie}", "Connection": "close"}
        with closing(http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {error!r}")
                return ""
        if answer.status != 200:
            self.failures.append(f"{path}: {answer.status}")
        return body.decode(errors="replace")
