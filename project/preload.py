"""The code and the templates of all pages, read at the start of a process and not when each is first asked for.

A release changes them under processes that go on for a while: they must not put a new page together from old code.
"""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import engines
from django.template.loaders.filesystem import Loader as FilesystemLoader
from django.urls import get_resolver


def read_pages() -> None:
    _ = get_resolver().url_patterns  # Imports the views.
    if settings.DEBUG:
        return  # Templates are read anew when they change.
    engine: Any = engines["django"]
    for name in sorted(_template_names(engine)):
        engine.get_template(name)


def _template_names(engine: Any) -> set[str]:
    """Those of the project: what is installed beside it does not change with it."""
    loaders = [one for loader in engine.engine.template_loaders for one in getattr(loader, "loaders", [loader])]
    folders = [Path(folder) for one in loaders if isinstance(one, FilesystemLoader) for folder in one.get_dirs()]
    return {
        os.path.relpath(path, folder)
        for folder in folders
        if folder.is_relative_to(settings.BASE_DIR) and "site-packages" not in folder.parts
        for path in folder.rglob("*.html")
    }
