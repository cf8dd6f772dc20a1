"""The account page: one's own password, browsers and access tokens, and nobody else's."""

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
from hubbub.auth.tokens import create_token
from hubbub.limits.token_buckets import Buckets
from hubbub.models import AccessToken
from project.accounts import browsers, passwords
from project.accounts.conf import Accounts
from project.accounts.hashing import Busy
from project.accounts.models import BrowserSession
from tests.support.signing_in import FIREFOX, HERE, NEW, PASSWORD, THERE, is_signed_in, sign_in, signed_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

ACCOUNT = reverse("account")
ADMINS = "/admin/password_change/"


def change(client: Client, old: str = PASSWORD, page: str = ACCOUNT, **more: str) -> Any:
    return client.post(page, {"old_password": old, "new_password1": NEW, "new_password2": NEW, **more})


def make_token(user: Any, name: str = "probe") -> AccessToken:
    return create_token(user=user, name=name, expires_at=None)[0]


def usable(user: Any) -> int:
    return AccessToken.objects.usable().filter(user=user).count()


def main_of(page: Any) -> str:
    """The page without its bar and dialogs, which are closed."""
    main: str = page.text.split("<main")[1].split("</main>")[0]
    return main


def session_of(client: Client) -> str:
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value


def test_the_page_is_for_who_is_signed_in_and_linked_beside_the_name(client: Client, owner: Any) -> None:
    assert client.get(ACCOUNT).headers["Location"] == f"{reverse('sign-in')}?next={ACCOUNT}"
    client.force_login(owner)
    assert f'href="{ACCOUNT}"' in client.get(reverse("lobby")).text
    # Whose page it is, and where a new name is shown.
    page = client.get(ACCOUNT)
    assert f'data-own-id="{owner.pk}"' in page.text
    assert main_of(page).count("data-own-name") == 2


# The password


def test_a_new_password_ends_all_other_sessions_and_not_this_one(owner: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    token = make_token(owner)
    before = session_of(here)
    assert change(here).headers["Location"] == ACCOUNT
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert session_of(here) != before
    assert usable(owner) == 1
    assert token.name in here.get(ACCOUNT).text
    assert sign_in("alice", NEW).status_code == 302


def test_a_new_password_ends_the_tokens_when_that_is_asked_for(owner: Any, bob: Any) -> None:
    here = signed_in("alice")
    make_token(owner)
    make_token(bob)
    assert change(here, end_tokens="on").status_code == 302
    assert (usable(owner), usable(bob)) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "field", "error", "words"),
    [
        ({"old_password": "wrong"}, "old_password", "old_password", "not your current password"),
        # Both come back empty, so the cursor goes to the first.
        ({"new_password2": "other"}, "new_password1", "new_password2", "differ"),
        ({"new_password1": "password1", "new_password2": "password1"}, "new_password1", "new_password1", "too common"),
        ({"new_password1": ""}, "new_password1", "new_password1", "required"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_which_has_the_cursor(
    owner: Any, fields: dict[str, str], field: str, error: str, words: str
) -> None:
    here = signed_in("alice")
    page = here.post(ACCOUNT, {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW, **fields})
    assert page.status_code == 200
    [wrong] = [one for one in page.text.split("<input") if f'id="id_{field}"' in one]
    assert "autofocus" in wrong.split(">")[0]
    assert f'id_{error}_error"' in wrong.split(">")[0]
    assert 'aria-invalid="true"' in wrong.split(">")[0]
    assert words in page.text.split(f'<div id="id_{error}_error">')[1].split("</div>")[0]
    assert main_of(page).count("autofocus") == 1
    assert sign_in("alice", PASSWORD).status_code == 302


def test_ending_tokens_is_offered_to_those_who_have_some(owner: Any) -> None:
    here = signed_in("alice")
    assert "Revoke my access tokens" not in here.get(ACCOUNT).text
    assert change(here).status_code == 302
    make_token(owner)
    assert main_of(here.get(ACCOUNT)).count("Revoke my access tokens") == 2


def test_opening_the_page_puts_the_cursor_nowhere(owner: Any) -> None:
    assert "autofocus" not in main_of(signed_in("alice").get(ACCOUNT))


@pytest.mark.parametrize("page", [ACCOUNT, ADMINS])
def test_guessing_the_present_password_by_a_stolen_session(owner: Any, page: str, caplog: Any) -> None:
    owner.is_staff = True
    owner.save()
    thief, here = signed_in("alice", THERE), signed_in("alice")
    answers = [change(thief, f"guess {number}", page).status_code for number in range(11)]
    assert answers == [200] * 10 + [429]
    assert change(thief, PASSWORD, page).status_code == 429
    assert change(thief, PASSWORD, ACCOUNT if page == ADMINS else ADMINS).status_code == 429
    assert f"password_failed address={THERE} user={owner.pk}" in caplog.text
    assert f"password_limited address={THERE} user={owner.pk}" in caplog.text
    # The owner's own session is not the thief's to use up.
    assert change(here, PASSWORD, page).status_code == 302
    assert not is_signed_in(thief)


def test_what_is_wrong_with_the_new_password_is_no_guess(owner: Any) -> None:
    here = signed_in("alice")
    for _ in range(12):
        assert change(here, new_password2="other").status_code == 200
    assert change(here).status_code == 302


def test_too_many_hashes_at_once_is_no_guess_either(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = signed_in("alice")

    def busy(*_: Any) -> None:
        raise Busy

    here.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(get_user_model(), "check_password", busy)
        assert [change(here).status_code for _ in range(12)] == [503] * 12
    assert change(here).status_code == 302


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(owner: Any) -> None:
    assert not passwords.set_password(owner, NEW, end_tokens=True, allows=lambda now: now.password == "another")
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


# Browsers


def test_the_list_of_browsers_says_which_and_since_when(owner: Any) -> None:
    signed_in("alice", THERE)
    here = signed_in("alice", HTTP_USER_AGENT=FIREFOX)
    page = here.get(ACCOUNT)
    assert [(one.name, one.address, one.is_this) for one in page.context["browsers"]] == [
        ("Firefox on Windows", HERE, True),
        ("Unknown program", THERE, False),
    ]
    assert all(timezone.now() - one.signed_in_at < timedelta(minutes=1) for one in page.context["browsers"])
    assert main_of(page).count("this browser</span>") == 1
    # Two of one kind are told apart: each line says when, to the second, and from where.
    facts = [one.split("</dl>")[0] for one in main_of(page).split('<dl class="account-facts"')[1:]]
    for browser, shown in zip(page.context["browsers"], facts, strict=True):
        assert f"{browser.signed_in_at:%H:%M:%S} UTC" in shown
        assert f"<bdi>{browser.address}</bdi>" in shown
        assert ("<dd>now</dd>" in shown) == browser.is_this
    # A key would let in whoever reads it: no page shows one.
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
    assert old.get(reverse("lobby")).status_code == 200
    [note] = BrowserSession.objects.all()
    assert (note.user, note.address, note.signed_in_at) == (owner, THERE, None)
    assert len(signed_in("alice").get(ACCOUNT).context["browsers"]) == 2


def test_a_page_costs_no_query_for_the_list(owner: Any) -> None:
    here = Client()
    here.force_login(owner)
    with CaptureQueriesContext(connection) as seen:
        here.get(reverse("lobby"))
    assert not [query["sql"] for query in seen if "browsersession" in query["sql"]]


def test_signing_in_as_somebody_else_in_one_browser_leaves_one_line_each(owner: Any, bob: Any) -> None:
    here = signed_in("alice")
    here.force_login(bob)
    assert [one.is_this for one in here.get(ACCOUNT).context["browsers"]] == [True]
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
    others = sessions.exclude(session_key=session_of(here))
    others._raw_delete(others.db)
    assert [one.is_this for one in here.get(ACCOUNT).context["browsers"]] == [True]
    assert BrowserSession.objects.count() == 1


def test_notes_of_sessions_that_ended_long_ago_are_cleared_at_the_next_sign_in(owner: Any) -> None:
    BrowserSession.objects.create(user=owner, session_key="old", seen_at=timezone.now() - timedelta(days=16))
    signed_in("alice")
    assert not BrowserSession.objects.filter(session_key="old").exists()


def test_one_browser_is_signed_out_from_another(owner: Any) -> None:
    here, there, third = signed_in("alice"), signed_in("alice", THERE), signed_in("alice", "192.0.2.1")
    [note] = [one for one in here.get(ACCOUNT).context["browsers"] if one.address == THERE]
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == ACCOUNT
    assert [is_signed_in(one) for one in (here, there, third)] == [True, False, True]
    # Again, from a page that still lists it.
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == ACCOUNT


def test_this_browser_signs_itself_out_in_the_list(owner: Any) -> None:
    here = signed_in("alice")
    [note] = here.get(ACCOUNT).context["browsers"]
    assert here.post(reverse("end-browser", args=[note.id])).headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)


def test_nobody_ends_the_sessions_or_tokens_of_another(owner: Any, bob: Any) -> None:
    here, bobs = signed_in("alice"), Client()
    bobs.force_login(bob)
    assert is_signed_in(bobs)
    bobs.post(reverse("end-browser", args=[BrowserSession.objects.get(user=owner).pk]))
    assert bobs.post(reverse("revoke-token", args=[make_token(owner).pk])).status_code == 404
    assert is_signed_in(here)
    assert usable(owner) == 1


def test_sign_out_of_all_others_ends_those_that_are_on_no_list(owner: Any) -> None:
    here, there, third = signed_in("alice"), signed_in("alice", THERE), signed_in("alice", THERE)
    make_token(owner)
    BrowserSession.objects.filter(session_key=session_of(third)).delete()
    assert here.post(reverse("sign-out-everywhere"), {"keep": "this"}).headers["Location"] == ACCOUNT
    assert [is_signed_in(one) for one in (here, there, third)] == [True, False, False]
    assert [one.is_this for one in here.get(ACCOUNT).context["browsers"]] == [True]
    assert usable(owner) == 1
    assert sign_in("alice", PASSWORD).status_code == 302


def test_sign_out_everywhere_includes_this_browser_and_tokens_when_asked(owner: Any, bob: Any) -> None:
    here, there, bobs = signed_in("alice"), signed_in("alice", THERE), Client()
    bobs.force_login(bob)
    make_token(owner)
    answer = here.post(reverse("sign-out-everywhere"), {"end_tokens": "on"}, follow=True)
    assert "signed out everywhere" in answer.text
    assert [is_signed_in(one) for one in (here, there, bobs)] == [False, False, True]
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
    assert all(one is not None and one.proof is not None for one in identities)
    here = signed_in("alice", THERE)
    here.post(reverse("sign-out-everywhere"), {"keep": "this"})
    assert [identify_session(key, None) for key in keys] == [None, None]
    assert set(renew([one for one in identities if one], None).values()) == {None}
    # Of the new salt as of the old one.
    identity = identify_session(session_of(here), None)
    assert identity is not None
    assert renew([identity], None) == {identity: identity}


def test_sessions_go_on_until_the_first_time(owner: Any) -> None:
    """With an empty salt the hash is Django's own: nobody is signed out by the release that brought it."""
    assert owner.session_salt == ""
    assert owner.get_session_auth_hash() == super(get_user_model(), owner).get_session_auth_hash()


def test_a_user_of_the_release_before_is_saved_without_the_salt(owner: Any) -> None:
    user = get_user_model()._meta.get_field("session_salt")
    assert user.db_default is not None


# Tokens


def test_own_tokens_are_listed_and_revoked(owner: Any, bob: Any) -> None:
    here, token = signed_in("alice"), make_token(owner, "the robot")
    make_token(bob, "of bob")
    page = here.get(ACCOUNT).text
    assert "the robot" in page
    assert "of bob" not in page
    assert token.secret_sha256 not in page
    assert here.post(reverse("revoke-token", args=[token.pk])).headers["Location"] == ACCOUNT
    assert usable(owner) == 0
    assert ">the robot<" not in here.get(ACCOUNT).text


# Email


def test_without_a_mail_server_there_is_no_email_field(owner: Any) -> None:
    here = signed_in("alice")
    assert "id_email" not in here.get(ACCOUNT).text
    here.post(ACCOUNT, {"form": "email", "email": "thief@evil.example", "present_password": PASSWORD})
    owner.refresh_from_db()
    assert owner.email == ""


def test_an_email_address_is_set_by_who_knows_the_password(owner: Any, settings: Any) -> None:
    settings.EMAIL_HOST_IS_SET = True
    settings.ACCOUNTS = Accounts(password_attempts=2)
    here = signed_in("alice")
    form = {"form": "email", "email": "alice@example.org"}
    for _ in range(2):
        assert (
            here.post(ACCOUNT, {**form, "email": "thief@evil.example", "present_password": "guess"}).status_code == 200
        )
    assert here.post(ACCOUNT, {**form, "present_password": PASSWORD}).status_code == 429
    owner.refresh_from_db()
    assert owner.email == ""
    here = signed_in("alice")
    assert "not your current password" not in here.get(ACCOUNT).text
    assert here.post(ACCOUNT, {**form, "email": "no address", "present_password": PASSWORD}).status_code == 200
    assert here.post(ACCOUNT, {**form, "present_password": PASSWORD}).status_code == 302
    owner.refresh_from_db()
    assert owner.email == "alice@example.org"
    assert here.post(ACCOUNT, {**form, "email": "", "present_password": PASSWORD}).status_code == 302
    owner.refresh_from_db()
    assert owner.email == ""
