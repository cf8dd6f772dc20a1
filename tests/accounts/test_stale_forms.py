"""Pages that were open before the browser's session changed: their forms are not lost, and no other site gains."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests.support.personas import make_user
from tests.support.signing_in import NEW, OWN, PASSWORD, is_signed_in, signed_in, token_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

ROOM = "/rooms/lounge/"


@pytest.fixture
def browser(owner: Any) -> Client:
    """One that checks tokens, as every browser's forms are checked."""
    return Client(enforce_csrf_checks=True)


def open_tab(browser: Client, name: str = "sign-in", **query: str) -> str:
    """A tab with a form; its token."""
    return token_of(browser.get(reverse(name), query))


def send(browser: Client, token: str, headers: dict[str, str] = OWN, name: str = "sign-in", **fields: str) -> Any:
    return browser.post(reverse(name), {"csrfmiddlewaretoken": token, **fields}, **headers)


def test_a_second_sign_in_tab_goes_to_its_next(browser: Client) -> None:
    first, second = open_tab(browser), open_tab(browser, next=ROOM)
    assert send(browser, first, username="alice", password=PASSWORD).status_code == 302
    answer = send(browser, second, username="alice", password=PASSWORD, next=ROOM)
    assert (answer.status_code, answer.headers["Location"]) == (302, ROOM)
    assert is_signed_in(browser)


def test_a_second_sign_in_tab_whose_next_is_a_word(browser: Client) -> None:
    first, second = open_tab(browser), open_tab(browser)
    send(browser, first, username="alice", password=PASSWORD)
    assert send(browser, second, username="alice", password=PASSWORD, next="x").headers["Location"] == "x"


def test_a_second_tab_that_names_another_account_keeps_the_name_and_asks(browser: Client) -> None:
    make_user("bob", password=PASSWORD)
    first, second = open_tab(browser), open_tab(browser, next=ROOM)
    send(browser, first, username="alice", password=PASSWORD)
    page = send(browser, second, username="bob", password=PASSWORD, next=ROOM)
    assert page.status_code == 200
    assert 'value="bob"' in page.text
    assert "signed in as alice" in page.text
    assert "alice" in browser.get(reverse("account")).text
    again = send(browser, token_of(page), username="bob", password=PASSWORD, next=ROOM)
    assert (again.status_code, again.headers["Location"]) == (302, ROOM)
    assert "bob" in browser.get(reverse("account")).text


def test_a_second_tab_after_signing_out_again_shows_the_form_anew(browser: Client) -> None:
    first, second = open_tab(browser), open_tab(browser, next=ROOM)
    send(browser, first, username="alice", password=PASSWORD)
    send(browser, open_tab(browser, "account"), name="sign-out")
    page = send(browser, second, username="alice", password=PASSWORD, next=ROOM)
    assert page.status_code == 200
    assert 'value="alice"' in page.text
    assert "The page had expired" in page.text
    assert not is_signed_in(browser)
    assert send(browser, token_of(page), username="alice", password=PASSWORD, next=ROOM).headers["Location"] == ROOM


def test_a_sign_in_page_without_its_cookie_shows_the_form_anew(browser: Client) -> None:
    token = open_tab(browser)
    browser.cookies.clear()
    page = send(browser, token, username="alice", password=PASSWORD)
    assert page.status_code == 200
    assert "Allow cookies" in page.text
    assert send(browser, token_of(page), username="alice", password=PASSWORD).status_code == 302


def test_a_second_sign_up_tab_keeps_the_name(browser: Client) -> None:
    first, second = open_tab(browser), open_tab(browser, "sign-up", next=ROOM)
    send(browser, first, username="alice", password=PASSWORD)
    page = send(browser, second, name="sign-up", username="dora", password1=PASSWORD, password2=PASSWORD, next=ROOM)
    assert page.status_code == 200
    assert 'value="dora"' in page.text
    assert 'value="/rooms/lounge/"' in page.text


CROSS = {
    "another site": {"HTTP_ORIGIN": "https://evil.example", "HTTP_SEC_FETCH_SITE": "cross-site"},
    "another site, an old browser": {"HTTP_ORIGIN": "https://evil.example"},
    "a host beside this one": {"HTTP_ORIGIN": "http://other.testserver", "HTTP_SEC_FETCH_SITE": "same-site"},
    "another port": {"HTTP_ORIGIN": "http://testserver:8001", "HTTP_SEC_FETCH_SITE": "same-site"},
    "a frame without an origin": {"HTTP_ORIGIN": "null", "HTTP_SEC_FETCH_SITE": "cross-site"},
    "nothing said": {},
    "only that it is from here": {"HTTP_SEC_FETCH_SITE": "same-origin"},
    "our origin from another site": {"HTTP_ORIGIN": "http://testserver", "HTTP_SEC_FETCH_SITE": "cross-site"},
}


@pytest.mark.parametrize("headers", CROSS.values(), ids=CROSS.keys())
def test_a_form_of_another_site_signs_no_user_in(browser: Client, headers: dict[str, str]) -> None:
    open_tab(browser)
    page = send(browser, "a" * 64, headers, username="alice", password=PASSWORD, next=ROOM)
    assert page.status_code == 403
    assert "alice" not in page.text
    assert not is_signed_in(browser)


@pytest.mark.parametrize("headers", CROSS.values(), ids=CROSS.keys())
def test_a_form_of_another_site_signs_no_user_out_or_in(browser: Client, headers: dict[str, str]) -> None:
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    assert send(browser, "a" * 64, headers, name="sign-out").status_code == 403
    assert send(browser, "a" * 64, headers, username="alice", next=ROOM).status_code == 403
    assert is_signed_in(browser)


def test_our_own_page_with_a_wrong_token_signs_no_user_in(browser: Client) -> None:
    """The right password and an origin of ours are not enough: the form is shown anew."""
    open_tab(browser)
    assert send(browser, "a" * 64, username="alice", password=PASSWORD).status_code == 200
    assert not is_signed_in(browser)


def test_signing_out_from_a_page_of_before_signs_out(browser: Client) -> None:
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    old_page = open_tab(browser, "account")
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    assert is_signed_in(browser)
    answer = send(browser, old_page, name="sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("sign-in"))
    assert not is_signed_in(browser)


def test_an_outdated_account_page_changes_nothing_and_says_so(browser: Client, owner: Any) -> None:
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    old_page = open_tab(browser, "account")
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    answer = send(browser, old_page, name="account", **form)
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("account"))
    assert "nothing was changed" in browser.get(reverse("account")).text
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)
    answer = send(browser, old_page, name="sign-out-everywhere")
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("account"))
    assert is_signed_in(browser)


def test_a_next_on_another_site_is_not_followed(browser: Client) -> None:
    first, second = open_tab(browser), open_tab(browser)
    send(browser, first, username="alice", password=PASSWORD)
    answer = send(browser, second, username="alice", password=PASSWORD, next="https://evil.example/")
    assert answer.headers["Location"] == reverse("chat:lobby")


def test_an_unreadable_form_of_the_admin_is_refused_as_before(browser: Client, root: Any) -> None:
    browser.force_login(root)
    assert browser.post("/admin/auth/group/add/", {"name": "x"}, **OWN).status_code == 403


def test_logging_out_from_a_page_of_the_admin_of_before_signs_out(browser: Client, root: Any) -> None:
    browser.force_login(root)
    assert send(browser, "a" * 64, CROSS["another site"], name="admin:logout").status_code == 403
    assert is_signed_in(browser)
    answer = send(browser, "a" * 64, name="admin:logout")
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("sign-in"))
    assert not is_signed_in(browser)


@pytest.mark.parametrize("path", ["/account/forgotten/", "/account/reset/x/set-password/", "/account/"])
def test_a_refused_form_of_a_stranger_writes_nothing_and_is_answered(
    browser: Client, settings: Any, path: str, django_assert_num_queries: Any
) -> None:
    settings.EMAIL_HOST_IS_SET = True
    with django_assert_num_queries(0):
        answer = browser.post(path, {"email": "a@example.com"}, **OWN)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{path}?unchanged=1")
    assert settings.SESSION_COOKIE_NAME not in browser.cookies
    assert browser.get(path, {"unchanged": "1"}).status_code == (302 if path == reverse("account") else 200)
    assert not Session.objects.exists()


def test_the_page_of_an_old_form_says_so_to_a_stranger_as_well(browser: Client, settings: Any) -> None:
    settings.EMAIL_HOST_IS_SET = True
    answer = browser.post("/account/forgotten/", {"email": "a@example.com"}, **OWN)
    assert "nothing was changed" in browser.get(answer.headers["Location"]).text
    assert "nothing was changed" not in browser.get("/account/forgotten/").text
    # After signing in, to which the account page leads.
    to_sign_in = browser.get(browser.post("/account/", **OWN).headers["Location"]).headers["Location"]
    page = browser.get(to_sign_in)
    send(browser, token_of(page), username="alice", password=PASSWORD)
    assert "nothing was changed" in browser.get(page.context["next"]).text


@pytest.mark.parametrize(("name", "args"), [("sign-out-everywhere", []), ("end-browser", [1])])
def test_the_script_of_an_old_page_gets_403(browser: Client, name: str, args: Any) -> None:
    """A redirect is all that it can see of an answer, and would have it delete what was not sent."""
    send(browser, open_tab(browser), username="alice", password=PASSWORD)
    address = reverse(name, args=args)
    by_script = browser.post(address, {"csrfmiddlewaretoken": "a" * 64}, **OWN, HTTP_X_SIGNS_OUT="1")
    assert by_script.status_code == 403
    # The browser then sends the form itself, and the page says what is wrong.
    assert browser.post(address, {"csrfmiddlewaretoken": "a" * 64}, **OWN).headers["Location"] == reverse("account")
    assert "nothing was changed" in browser.get(reverse("account")).text
    assert is_signed_in(browser)


def test_the_script_of_a_page_that_names_a_former_session_learns_that_this_one_lives(owner: Any) -> None:
    here = signed_in("alice")
    [note] = here.get(reverse("account")).context["browsers"]
    address = reverse("end-browser", args=[note.id])
    here.post(reverse("account"), {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
    assert here.post(address, HTTP_X_SIGNS_OUT="1").status_code == 409
    assert is_signed_in(here)
    [note] = here.get(reverse("account")).context["browsers"]
    answer = here.post(reverse("end-browser", args=[note.id]), HTTP_X_SIGNS_OUT="1")
    assert answer.headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)
