"""What tests of pages share."""

from pathlib import Path
from typing import Any

import pytest

PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture
def plain_static(settings: Any, tmp_path: Path) -> None:
    """Static files by their own names: the hashed ones exist only after collectstatic."""
    settings.STATIC_ROOT = tmp_path  # Whitenoise warns of a folder that is not there.
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
