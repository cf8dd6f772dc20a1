"""Loads the code and templates of all pages at the start of a process, instead of at their first request.

A release changes the files while old processes still run: they must not combine new templates with old code.
"""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import engines
from django.template.loaders.filesystem import Loader as FilesystemLoader
from django.urls import get_resolver

from chat.excerpts import parser


def read_pages() -> None:
    _ = get_resolver().url_patterns  # Imports the views.
    parser()  # Its library takes a tenth of a second.
    if settings.DEBUG:
        return  # Templates are reloaded when they change.
    engine: Any = engines["django"]
    for name in sorted(_template_names(engine)):
        engine.get_template(name)


def _template_names(engine: Any) -> set[str]:
    """The templates of the project; those of installed packages do not change with a release."""
    loaders = [nested for loader in engine.engine.template_loaders for nested in getattr(loader, "loaders", [loader])]
    files = [loader for loader in loaders if isinstance(loader, FilesystemLoader)]
    folders = [Path(folder) for loader in files for folder in loader.get_dirs()]
    return {
        os.path.relpath(path, folder)
        for folder in folders
        if folder.is_relative_to(settings.BASE_DIR) and "site-packages" not in folder.parts
        for path in folder.rglob("*.html")
    }
