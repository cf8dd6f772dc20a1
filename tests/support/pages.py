"""Static files in tests of pages."""

from pathlib import Path
from typing import Any

import pytest

PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture
def plain_static(settings: Any, tmp_path: Path) -> None:
    """Serve static files by plain names: hashed names exist only after collectstatic."""
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns of a missing folder.
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
