"""Cost of the records of a user's browsers."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hubbub.limits.token_buckets import Buckets
from project.accounts import browsers
from project.accounts.models import BrowserSession

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def test_a_session_is_written_down_once_an_hour_by_all_processes(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    buckets = [Buckets(per_second=1 / 3600, burst=1, max_keys=1, clock=lambda: now[0]) for _ in range(2)]
    here = Client()
    here.force_login(owner)

    def queries(process: int) -> list[str]:
        monkeypatch.setattr(browsers, "_recorded", buckets[process])
        with CaptureQueriesContext(connection) as seen:
            here.get(reverse("chat:lobby"))
        return [query["sql"].split()[0] for query in seen if "browsersession" in query["sql"]]

    # Noted half an hour ago, by a third one.
    BrowserSession.objects.update(seen_at=timezone.now() - timedelta(minutes=30))
    assert [queries(process) for process in (0, 0, 1, 1)] == [["SELECT"], [], ["SELECT"], []]
    now[0] = 1700
    assert queries(0) == []
    now[0] = 1810
    BrowserSession.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    assert [queries(process) for process in (0, 1, 0)] == [["SELECT", "UPDATE"], ["SELECT"], []]
    # Forgotten for the sake of other sessions, it is looked at again, and not written.
    buckets[0].take("another")
    assert queries(0) == ["SELECT"]
