"""Static files, while a release changes them under this process: WhiteNoise, which reads its list only at the start.

A file with a hash in its name is the same for ever, so one that is not on the list is looked for on disk: another
process has named it, of an older or a newer release. Others are looked at anew for each request: they may have changed.
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
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse], **more: Any) -> None:
        super().__init__(get_response, **more)
        if self.static_root and not self.autorefresh:
            lock_release(self.static_root)

    def __call__(self, request: HttpRequest) -> Any:
        if self.autorefresh:  # DEBUG: each request looks at the disk anyway.
            return super().__call__(request)
        url = request.path_info
        file = self.files.get(url)
        is_hashed = HASHED.search(url) is not None
        if is_hashed and file is None:
            file = self._look(url)
            if file is not None:
                self.files[url] = file  # No more of them than there are files.
        elif file is not None and not is_hashed:
            file = self._look(url)
        if file is not None:
            try:
                return self.serve(file, request)
            except FileNotFoundError:
                self.files.pop(url, None)  # Of a release that is gone.
        return self.get_response(request)

    def _look(self, url: str) -> Any:
        """The file as it is on disk now, below STATIC_ROOT and in no hidden folder; None if there is none."""
        if not url.startswith(self.static_prefix) or not self.url_is_canonical(url):
            return self.files.get(url)
        name = url[len(self.static_prefix) :]
        path = os.path.join(os.path.abspath(self.static_root or ""), name)
        if not self.static_root or name.startswith((".", "/")) or "/." in name:
            return None
        try:
            # One look at the disk for what is not there, whoever asks for it how often.
            return self.get_static_file(path, url) if os.path.isfile(path) else None
        except (NotARegularFileError, OSError):
            return None  # It went between two looks.

    def update_files_dictionary(self, root: str, prefix: str) -> None:
        """As WhiteNoise does it, without hidden folders, and without what goes while it is read."""
        found = dict(_scan(root))
        for path in found:
            self.add_file_to_dictionary(prefix + os.path.relpath(path, root), path, stat_cache=found)


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
