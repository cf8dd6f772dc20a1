from collections.abc import Iterator

import pytest

from hubbub import threads
from tests.support.pages import plain_static  # noqa: F401
from tests.support.personas import admin, alice, attic, bob, charlie, lounge, mona, root  # noqa: F401


@pytest.fixture
def ended_threads() -> Iterator[None]:
    yield
    threads.close()
