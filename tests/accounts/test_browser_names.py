"""Names of browsers in the list on the account page."""

from typing import Any

import pytest
from django.urls import reverse

from project.accounts import browsers
from project.accounts.models import BrowserSession
from tests.support.signing_in import FIREFOX, signed_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

AGENTS = {
    "Firefox on Windows": FIREFOX,
    "Chrome on Android": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36",
    "Edge on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Safari on iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Safari on macOS": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Safari/605.1.15",
    "Chrome on Linux": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0 "
    "Safari/537.36",
    "A browser on Linux": "Mozilla/5.0 (X11; Linux x86_64) Something/1.0",
    "Unknown program": "curl/8.5.0",
}


@pytest.mark.parametrize("words", AGENTS)
def test_a_browser_is_named_in_plain_words(words: str) -> None:
    assert browsers.describe(AGENTS[words]) == words


def test_the_user_agent_is_bounded_and_shown_as_text(owner: Any) -> None:
    here = signed_in("alice", HTTP_USER_AGENT="<b>\x00\u202e" + "x" * 5000)
    [note] = BrowserSession.objects.all()
    assert len(note.user_agent) == browsers.USER_AGENT_CHARS
    assert note.user_agent.isprintable()
    assert "<b>" not in here.get(reverse("account")).text
