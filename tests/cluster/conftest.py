"""Runs of `manage.py up` that a test starts itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that the test starts itself."""
    unstarted = Cluster(tmp_path, is_new=True)
    yield unstarted
    if hasattr(unstarted, "up"):
        unstarted.__exit__(None, None, None)
