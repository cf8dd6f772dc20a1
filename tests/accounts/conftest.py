from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings

from project.accounts import login_throttle
from tests.support.pages import plain_static  # noqa: F401
from tests.support.personas import admin, alice, attic, bob, lounge, mona, root  # noqa: F401
from tests.support.signing_in import PASSWORD


@pytest.fixture(autouse=True)
def no_tries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sign-in attempts are forgotten, in Redis and in this process."""
    monkeypatch.setattr(login_throttle, "_away_until", float("-inf"))
    login_throttle._local.cache_clear()
    with redis.Redis.from_url(settings.HUBBUB["REDIS_URL"]) as client:
        for key in client.scan_iter(f"hubbub:{login_throttle.PREFIX}:*"):
            client.delete(key)
    yield
    login_throttle._redis.cache_clear()


@pytest.fixture
def owner(alice: Any) -> Any:  # noqa: F811
    """Alice with a known password."""
    alice.set_password(PASSWORD)
    alice.save()
    return alice
