"""An error page names the cause: the request or the server."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


@pytest.fixture
def pages(client: Client) -> Client:
    client.raise_request_exception = False
    return client


def test_a_page_without_a_database_says_that_it_will_be_back(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_away(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", is_away)
        response = pages.get("/", headers={"cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert "The database is unavailable right now" in response.content.decode()
    assert "Content-Security-Policy" in response.headers


def test_another_failure_is_ours(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.accounts.views.SignUpForm", None)
    response = pages.get(reverse("sign-up"))
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
