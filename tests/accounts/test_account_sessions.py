"""Sessions on the account page: the list of browsers, and sign-out of one, of others, of all."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hubbub.auth.identity import identify_session, renew
from hubbub.limits.token_buckets import Buckets
from project.accounts import browsers
from project.accounts.models import BrowserSession
from tests.support.account_page import ACCOUNT, change, main_of, make_token, session_of, usable
from tests.support.signing_in import FIREFOX, HERE, PASSWORD, THERE, is_signed_in, sign_in, signed_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def test_the_list_of_browsers_says_which_and_since_when(owner: Any) -> None:
    signed_in("alice", THERE)
    here = signed_in("alice", HTTP_USER_AGENT=FIREFOX)
    page = here.get(ACCOUNT)
    assert [(browser.name, browser.address, browser.is_this) for browser in page.context["browsers"]] == [
        ("Firefox on Windows", HERE, True),
        ("Unknown program", THERE, False),
    ]
    assert all(timezone.now() - browser.signed_in_at < timedelta(minutes=1) for browser in page.context["browsers"])
    assert main_of(page).count("this browser</span>") == 1
    # Two of one kind are told apart: each line says when, to the second, and from where.
    facts = [part.split("</dl>")[0] for part in main_of(page).split('<dl class="account-facts"')[1:]]
    for browser, shown in zip(page.context["browsers"], facts, strict=True):
        assert f"{browser.signed_in_at:%H:%M:%S} UTC" in shown
        assert f"<bdi>{browser.address}</bdi>" in shown
        assert ("<dd>now</dd>" in shown) == browser.is_this
    # A session key admits any reader of it: no page shows one.
    for note in BrowserSession.objects.all():
        assert note.session_key not in page.text


def test_signing_out_of_other_browsers_is_offered_where_there_are_any(owner: Any) -> None:
    here = signed_in("alice")
    page = here.get(ACCOUNT).text
    assert "this browser only" in page
    assert "all other browsers</button>" not in page
    signed_in("alice", THERE)
    page = here.get(ACCOUNT).text
    assert "this browser only" not in page
    assert "all other browsers</button>" in page


def test_a_session_of_before_the_list_is_in_it_once_it_is_seen(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Client(REMOTE_ADDR=THERE)
    old.force_login(owner)
    session = old.session
    del session[browsers.SIGNED_IN_AT]
    session.save()
    BrowserSession.objects.all().delete()
    monkeypatch.setattr(browsers, "_recorded", Buckets(per_second=1 / 3600, burst=1))
    assert old.get(reverse("chat:lobby")).status_code == 200
    [note] = BrowserSession.objects.all()
    assert (note.user, note.address, note.signed_in_at) == (owner, THERE, None)
    assert len(signed_in("alice").get(ACCOUNT).context["browsers"]) == 2


def test_a_page_costs_no_query_for_the_list(owner: Any) -> None:
    here = Client()
    here.force_login(owner)
    with CaptureQueriesContext(connection) as seen:
        here.get(reverse("chat:lobby"))
    assert not [query["sql"] for query in seen if "browsersession" in query["sql"]]


def test_two_users_of_one_browser_have_one_line_each(owner: Any, bob: Any) -> None:
    here = signed_in("alice")
    here.force_login(bob)
    assert [browser.is_this for browser in here.get(ACCOUNT).context["browsers"]] == [True]
    assert not BrowserSession.objects.filter(user=owner).exists()


def test_signing_out_leaves_no_line(owner: Any) -> None:
    signed_in("alice").post(reverse("sign-out"))
    assert not BrowserSession.objects.exists()


def test_a_browser_stays_one_line_with_a_new_password(owner: Any) -> None:
    here = signed_in("alice")
    [before] = here.get(ACCOUNT).context["browsers"]
    change(here)
    [after] = here.get(ACCOUNT).context["browsers"]
    assert (after.signed_in_at, after.is_this) == (before.signed_in_at, True)


def test_sessions_that_were_cleared_away_without_a_signal_are_not_listed(owner: Any) -> None:
    here = signed_in("alice")
    signed_in("alice", THERE)
    sessions = import_module(django_settings.SESSION_ENGINE).SessionStore.get_model_class().objects
    unlisted = sessions.exclude(session_key=session_of(here))
    unlisted._raw_delete(unlisted.db)
    assert [browser.is_this for browser in here.get(ACCOUNT).context["browsers"]] == [True]
    assert BrowserSession.objects.count() == 1


def test_notes_of_sessions_that_ended_long_ago_are_cleared_at_the_next_sign_in(owner: Any) -> None:
    BrowserSession.objects.create(user=owner, session_key="old", seen_at=timezone.now() - timedelta(days=16))
    signed_in("alice")
    assert not BrowserSession.objects.filter(session_key="old").exists()


def test_one_browser_is_signed_out_from_another(owner: Any) -> None:
    here, there, third = signed_in("alice"), signed_in("alice", THERE), signed_in("alice", "192.0.2.1")
    [note] = [browser for browser in here.get(ACCOUNT).context["browsers"] if browser.address == THERE]
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == ACCOUNT
    assert [is_signed_in(browser) for browser in (here, there, third)] == [True, False, True]
    # Again, from a page that still lists it.
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == ACCOUNT


def test_this_browser_signs_itself_out_in_the_list(owner: Any) -> None:
    here = signed_in("alice")
    [note] = here.get(ACCOUNT).context["browsers"]
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)


def test_sessions_and_tokens_of_another_user_cannot_be_ended(owner: Any, bob: Any) -> None:
    here, bobs = signed_in("alice"), Client()
    bobs.force_login(bob)
    assert is_signed_in(bobs)
    bobs.post(reverse("end-browser", args=[BrowserSession.objects.get(user=owner).pk]))
    assert bobs.post(reverse("revoke-token", args=[make_token(owner).pk])).status_code == 404
    assert is_signed_in(here)
    assert usable(owner) == 1


def test_sign_out_of_all_others_ends_unlisted_sessions(owner: Any) -> None:
    here, there, third = signed_in("alice"), signed_in("alice", THERE), signed_in("alice", THERE)
    make_token(owner)
    BrowserSession.objects.filter(session_key=session_of(third)).delete()
    assert here.post(reverse("sign-out-everywhere"), {"keep": "this"}).headers["Location"] == ACCOUNT
    assert [is_signed_in(browser) for browser in (here, there, third)] == [True, False, False]
    assert [browser.is_this for browser in here.get(ACCOUNT).context["browsers"]] == [True]
    assert usable(owner) == 1
    assert sign_in("alice", PASSWORD).status_code == 302


def test_sign_out_everywhere_includes_this_browser_and_tokens_when_asked(owner: Any, bob: Any) -> None:
    here, there, bobs = signed_in("alice"), signed_in("alice", THERE), Client()
    bobs.force_login(bob)
    make_token(owner)
    answer = here.post(reverse("sign-out-everywhere"), {"end_tokens": "on"}, follow=True)
    assert "signed out everywhere" in answer.text
    assert [is_signed_in(browser) for browser in (here, there, bobs)] == [False, False, True]
    assert usable(owner) == 0
    # And again, from anew.
    assert signed_in("alice").post(reverse("sign-out-everywhere")).status_code == 302


@pytest.mark.parametrize("name", ["sign-out-everywhere", "end-browser", "revoke-token"])
def test_nothing_ends_by_a_link(owner: Any, name: str) -> None:
    here = signed_in("alice")
    assert here.get(reverse(name, args=[] if name == "sign-out-everywhere" else [1])).status_code == 405
    assert is_signed_in(here)


def test_the_engine_lets_no_socket_in_by_a_session_that_was_signed_out_everywhere(owner: Any) -> None:
    keys = [session_of(signed_in("alice")) for _ in range(2)]
    identities = [identify_session(key, None) for key in keys]
    assert all(identity is not None and identity.proof is not None for identity in identities)
    here = signed_in("alice", THERE)
    here.post(reverse("sign-out-everywhere"), {"keep": "this"})
    assert [identify_session(key, None) for key in keys] == [None, None]
    assert set(renew([identity for identity in identities if identity], None).values()) == {None}
    # Of the new salt as of the old one.
    identity = identify_session(session_of(here), None)
    assert identity is not None
    assert renew([identity], None) == {identity: identity}


def test_sessions_go_on_until_the_first_time(owner: Any) -> None:
    """With an empty salt the hash is Django's own, so that an upgrade signs no user out."""
    assert owner.session_salt == ""
    assert owner.get_session_auth_hash() == super(get_user_model(), owner).get_session_auth_hash()


def test_a_user_of_the_release_before_is_saved_without_the_salt(owner: Any) -> None:
    user = get_user_model()._meta.get_field("session_salt")
    assert user.db_default is not None
