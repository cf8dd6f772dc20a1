"""`/readyz` reports the state of this machine."""

import pytest

from hubbub.asgi import readiness


def test_a_full_disk_is_logged_with_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert readiness.disk_problem() == "ok"
    monkeypatch.setattr(readiness, "MIN_FREE_BYTES", 1 << 62)  # No disk has so much.
    assert readiness.disk_problem() == "the data folder is on a full disk"
