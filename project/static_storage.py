"""Static files with hashed names, which imports of ES modules use as well, and the scripts of pages as bundles."""

from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from project import static_bundles
from project.static_bundles import Module, bundle, in_order

# Scripts that pages name, and those that scripts import when they need them. A worker is none: its page is another.
ENTRIES = (
    "chat/js/room.js",
    "chat/js/emoji.js",
    "chat/js/outbox-elsewhere.js",
    "chat/js/outbox-connection.js",
    "chat/js/offline.js",
    "chat/js/service-worker-registration.js",
    "chat/js/admin-ban.js",
    "chat/js/admin-outsider.js",
    "hubbub/js/admin-steps.js",
    "hubbub/js/copy-field.js",
    "monitor/js/dashboard.js",
    "project/js/account.js",
    "project/js/sign-out.js",
)
# The large one comes in parts: a connection that has just begun is slow, and several are quicker.
IN_PARTS = "chat/js/room.js"
PARTS = {"engine": "hubbub/js/", "libraries": "chat/vendor/"}
# Loaded by another entry alone, whose modules are there by then.
LATE = {"chat/js/emoji.js": "chat/js/room.js"}


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Django rewrites only import statements with a semicolon: tests/project/test_static.py checks them.
    support_js_module_import_aggregation = True

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        if not dry_run:
            for name, text in _bundles(paths):
                self.delete(name)
                self._save(name, ContentFile(text.encode()))
                paths[name] = (self, name)
        yield from super().post_process(paths, dry_run, **options)


def _bundles(paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The bundles by the names of their files. All are made from the sources before the first replaces one."""
    modules: dict[str, Module] = {}

    def read(name: str) -> Module:
        if name not in modules:
            storage, path = paths[name]
            with storage.open(path) as file:
                modules[name] = static_bundles.parse(name, file.read().decode())
        return modules[name]

    made: dict[str, str] = {}
    for entry in (entry for entry in ENTRIES if entry in paths):
        found = in_order(entry, read)
        if entry in LATE:
            there = {module.name for module in in_order(LATE[entry], read)}
            found = [module for module in found if module.name not in there]
        parts: list[str] = []
        for part, start in PARTS.items() if entry == IN_PARTS else ():
            own = [module for module in found if module.name.startswith(start)]
            found = [module for module in found if module not in own]
            parts.append(entry.replace(".js", f".{part}.js"))
            made[parts[-1]] = bundle(parts[-1], own)
        made[entry] = bundle(entry, found, first=parts, entry=modules[entry])
    yield from made.items()
