"""A project of another team, made by `startproject`, on the code of this repository."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.support.servers import ROOT, Site

SETTINGS = """
INSTALLED_APPS = ["hubbub", *INSTALLED_APPS]
ALLOWED_HOSTS = ["127.0.0.1"]
HUBBUB = {{"REDIS_URL": {redis_url!r}, "TOKEN_SCOPES": {{}}}}
CHANNEL_LAYERS = {{"default": {{"BACKEND": "hubbub.layer.RedisPubSubLayer"}}}}
ASGI_APPLICATION = "mysite.asgi.application"
STATIC_ROOT = BASE_DIR / "static"
DATABASES["default"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}
"""


class OwnProject(Site):
    """The project, with migrated databases. Its `shell` and `serving` are those of a site.

    Args:
        folder: of its files.
        settings: lines after those of `startproject` and SETTINGS.
        files: further files by path, such as apps and `mysite/asgi.py`.
        copied: apps to copy, as by docs/chat-and-monitor.md.
        databases: aliases to migrate.
        makes_migrations: apps that need them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: str,
        files: Mapping[str, str],
        copied: Collection[str] = (),
        databases: Collection[str] = ("default",),
        makes_migrations: Collection[str] = (),
    ) -> None:
        self.folder, self.root = folder, folder / "mysite"
        ours = ("HUBBUB_", "PYTHON", "DJANGO_", "DATABASE_URL")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.env |= {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": str(ROOT)}
        self.root.mkdir(parents=True)
        self._run("-m", "django", "startproject", "mysite", ".", "--settings=django.conf.global_settings")
        with (self.root / "mysite" / "settings.py").open("a") as file:
            file.write(SETTINGS.format(redis_url=os.environ["REDIS_URL"]) + settings)
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        if copied:
            self._run("-m", "hubbub", "copy", *copied)
        for app in makes_migrations:
            (self.root / app / "migrations").mkdir()
            (self.root / app / "migrations" / "__init__.py").touch()
            self.manage("makemigrations", app, "-v0")
        for alias in databases:
            self.manage("migrate", "-v0", "--database", alias)
        self.manage("check", "--fail-level", "WARNING")
