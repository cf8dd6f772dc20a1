"""Static files that a release may change while this process runs. WhiteNoise alone reads its list only at the start.

A file with a hash in its name never changes: one that is not on the list, but in a page of an older or newer release,
is read from disk. Files without a hash may change, and are checked at each request.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import NotARegularFileError

from hubbub.supervisor.release_files import lock_release

# As Django's HashedFilesMixin makes it: room.0123456789ab.js.
HASHED = re.compile(r"\.[0-9a-f]{12}(\.[^./]+)?\Z")


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise that finds files of older and newer releases, and retains those of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse], **more: Any) -> None:
        super().__init__(get_response, **more)
        if self.static_root and not self.autorefresh:
            lock_release(self.static_root)

    def __call__(self, request: HttpRequest) -> Any:
        if self.autorefresh:  # DEBUG: each request reads the disk anyway.
            return super().__call__(request)
        url = request.path_info
        file = self.files.get(url)
        is_hashed = HASHED.search(url) is not None
        if is_hashed and file is None:
            file = self._find_on_disk(url)
            if file is not None:
                self.files[url] = file  # Bounded by the number of files.
        elif file is not None and not is_hashed:
            file = self._find_on_disk(url)
        if file is not None:
            try:
                return self.serve(file, request)
            except FileNotFoundError:
                self.files.pop(url, None)  # From a release that was removed.
        return self.get_response(request)

    def _find_on_disk(self, url: str) -> Any:
        """The current file on disk, below STATIC_ROOT and in no hidden folder; None if it does not exist."""
        if not url.startswith(self.static_prefix) or not self.url_is_canonical(url):
            return self.files.get(url)
        name = url[len(self.static_prefix) :]
        path = os.path.join(os.path.abspath(self.static_root or ""), name)
        if not self.static_root or name.startswith((".", "/")) or "/." in name:
            return None
        try:
            # One system call for a missing file, however often it is requested.
            return self.get_static_file(path, url) if os.path.isfile(path) else None
        except (NotARegularFileError, OSError):
            return None  # Removed meanwhile.

    def update_files_dictionary(self, root: str, prefix: str) -> None:
        """As in WhiteNoise, without hidden folders, and without files that are removed meanwhile."""
        status_by_path = dict(_scan(root))
        for path in status_by_path:
            self.add_file_to_dictionary(prefix + os.path.relpath(path, root), path, stat_cache=status_by_path)


def _scan(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if not entry.name.startswith("."):
                yield from _scan(entry.path)
            continue
        try:
            yield entry.path, entry.stat()
        except FileNotFoundError:
            pass
