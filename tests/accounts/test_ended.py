"""The sign-in page says why a browser was signed out, to that browser alone."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from project.accounts import ended
from tests.support.signing_in import NEW, PASSWORD, THERE, sign_in, signed_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

SIGN_IN = reverse("sign-in")
SAID = "You were signed out"


def set_password(client: Client) -> None:
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert client.post(reverse("account"), form).status_code == 302


def sign_out_others(client: Client) -> None:
    client.post(reverse("sign-out-everywhere"), {"keep": "this"})


def sign_out_everywhere(client: Client) -> None:
    client.post(reverse("sign-out-everywhere"))


def end_browsers(client: Client) -> None:
    for browser in client.get(reverse("account")).context["browsers"]:
        if not browser.is_this:
            client.post(reverse("end-browser", args=[browser.id]))


def deactivate(client: Client) -> None:
    get_user_model().objects.filter(username="alice").update(is_active=False)


def delete(client: Client) -> None:
    get_user_model().objects.filter(username="alice").delete()


CAUSES = {
    set_password: "the password of this account was changed",
    sign_out_others: "another browser signed this account out everywhere",
    sign_out_everywhere: "another browser signed this account out everywhere",
    end_browsers: "another browser signed this one out",
    deactivate: "this account was deactivated or deleted",
    delete: "this account was deactivated or deleted",
}


@pytest.mark.parametrize("opens", ["chat:lobby", "sign-in"])
@pytest.mark.parametrize("act", CAUSES, ids=lambda act: act.__name__)
def test_a_browser_that_was_signed_out_elsewhere_shows_the_reason(owner: Any, act: Any, opens: str) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    act(here)
    page = there.get(reverse(opens), follow=True)
    assert f"{SAID}: {CAUSES[act]}" in page.text
    assert SAID not in Client().get(SIGN_IN).text
    # Again, in another tab, which finds no session cookie any more.
    assert SAID in there.get(SIGN_IN).text


def test_of_two_pages_at_once_the_one_that_comes_later_does_not_replace_the_reason(owner: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    cookie = there.cookies[django_settings.SESSION_COOKIE_NAME].value
    sign_out_others(here)
    assert there.get(reverse("chat:lobby")).status_code == 302
    there.cookies[django_settings.SESSION_COOKIE_NAME] = cookie  # As when it was sent before the first answer came.
    assert CAUSES[sign_out_others] in there.get(reverse("chat:lobby"), follow=True).text


def test_the_notice_is_shown_until_the_next_sign_in(owner: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    sign_out_others(here)
    assert SAID in there.get(reverse("chat:lobby"), follow=True).text
    assert SAID not in sign_in("alice", "wrong", THERE, there).text
    assert sign_in("alice", PASSWORD, THERE, there).status_code == 302
    assert SAID not in there.get(SIGN_IN).text
    there.post(reverse("sign-out"))
    assert SAID not in there.get(SIGN_IN).text


def test_a_browser_that_signed_out_itself_gets_no_notice(owner: Any) -> None:
    here = signed_in("alice")
    here.post(reverse("sign-out"))
    assert SAID not in here.get(reverse("chat:lobby"), follow=True).text
    here = signed_in("alice")
    sign_out_everywhere(here)
    assert SAID not in here.get(SIGN_IN).text
    here = signed_in("alice")
    set_password(here)
    assert here.get(reverse("chat:lobby")).status_code == 200


def test_a_new_password_after_signing_out_others_shows_the_reason_password(owner: Any) -> None:
    """The salt of this browser's session is the new one."""
    here = signed_in("alice")
    sign_out_others(here)
    there = signed_in("alice", THERE)
    set_password(there)
    assert CAUSES[set_password] in here.get(reverse("chat:lobby"), follow=True).text


def test_a_session_of_the_release_before_ends_with_the_reason_changed(owner: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", THERE)
    session = there.session
    del session[ended.SALT_OF_SESSION]
    session.save()
    set_password(here)
    assert str(ended.NOTICES["changed"]) in there.get(reverse("chat:lobby"), follow=True).text


def test_a_visitor_with_an_anonymous_session_gets_no_notice(client: Client) -> None:
    session = client.session
    session["anything"] = 1
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key
    assert SAID not in client.get(reverse("chat:lobby"), follow=True).text


def test_a_reason_that_is_not_signed_is_not_believed(client: Client) -> None:
    client.cookies[ended.COOKIE] = "password"
    assert SAID not in client.get(SIGN_IN).text
