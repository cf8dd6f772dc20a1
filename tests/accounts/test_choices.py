"""Language, clock and theme: chosen on the account page, by cookies and the browser's language for visitors."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from project.accounts.models import User
from tests.support.account_page import ACCOUNT
from tests.support.signing_in import PASSWORD, sign_in

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

SIGN_IN = reverse("sign-in")
GERMAN, FRENCH = {"Accept-Language": "de-AT,de;q=0.9"}, {"Accept-Language": "fr"}


def choose(client: Client, language: str = "", clock: str = "", theme: str = "", **more: Any) -> Any:
    return client.post(ACCOUNT, {"form": "choices", "language": language, "clock": clock, "theme": theme}, **more)


def look_of(page: Any) -> tuple[str, ...]:
    """The attributes of the page's first element."""
    [html] = re.findall(r"<html ([^>]*)>", page.text)
    found = dict(re.findall(r'([\w-]+)="([^"]*)"', html))
    return tuple(found[name] for name in ("lang", "dir", "data-theme", "data-clock"))


def test_a_choice_is_kept_with_the_account_and_shows_on_the_next_page_of_every_browser(alice: User) -> None:
    here, there = Client(), Client(headers=FRENCH)
    for client in (here, there):
        client.force_login(alice)
        assert look_of(client.get(ACCOUNT)) == ("en", "ltr", "system", "language")
    answer = choose(here, "de", "24", "dark")
    assert answer.headers["Location"] == ACCOUNT
    alice.refresh_from_db()
    assert (alice.language, alice.clock, alice.theme) == ("de", "24", "dark")
    for client, name in ((here, "account"), (there, "chat:lobby")):
        page = client.get(reverse(name))
        assert look_of(page) == ("de", "ltr", "dark", "24")
        assert page.headers["Content-Language"] == "de"
        assert '<meta name="color-scheme" content="dark">' in page.text
    assert look_of(there.get("/nothing/")) == ("de", "ltr", "dark", "24")


def test_the_account_page_shows_the_choices(alice: User, client: Client) -> None:
    client.force_login(alice)
    choose(client, "", "12", "light")
    page = client.get(ACCOUNT).text
    for name, chosen in (("language", ""), ("clock", "12"), ("theme", "light")):
        select = page.split(f'id="id_choices_{name}"')[1].split("</select>")[0]
        assert re.findall(r'<option value="(\w*)" selected>', select) == [chosen]
    assert [*re.findall(r">(English|Deutsch)</option>", page)] == ["English", "Deutsch"]


def test_choices_that_do_not_exist_are_refused(alice: User, client: Client) -> None:
    client.force_login(alice)
    for wrong in ({"language": "fr"}, {"clock": "13"}, {"theme": "pink"}):
        assert choose(client, **wrong).status_code == 200
        assert look_of(client.get(ACCOUNT)) == ("en", "ltr", "system", "language")


def test_without_a_choice_the_browser_decides(alice: User) -> None:
    german = Client(headers=GERMAN)
    assert look_of(german.get(SIGN_IN))[0] == "de"
    german.force_login(alice)
    assert look_of(german.get(ACCOUNT))[0] == "de"
    assert look_of(Client(headers=FRENCH).get(SIGN_IN))[0] == "en"


def test_a_language_that_the_site_has_no_more_is_as_no_choice(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="fr", clock="x", theme="x")
    client = Client(headers=GERMAN)
    client.force_login(alice)
    assert look_of(client.get(ACCOUNT)) == ("de", "ltr", "system", "language")


def test_the_sign_in_page_looks_the_same_after_signing_out(owner: User, client: Client) -> None:
    User.objects.filter(pk=owner.pk).update(language="de", clock="24", theme="dark")
    answer = sign_in(owner.username, PASSWORD, client=client)
    for name in ("language", "clock", "theme"):
        cookie = answer.cookies[f"hubbub_{name}"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    client.post(reverse("sign-out"))
    assert look_of(client.get(SIGN_IN)) == ("de", "ltr", "dark", "24")


def test_the_choices_of_the_last_user_are_not_those_of_the_next(alice: User, bob: User, client: Client) -> None:
    client.force_login(alice)
    choose(client, "de", "24", "dark")
    client.force_login(bob)
    assert look_of(client.get(ACCOUNT)) == ("en", "ltr", "system", "language")


def test_giving_up_a_choice_gives_up_its_cookie(alice: User, client: Client) -> None:
    client.force_login(alice)
    choose(client, "de", "24", "dark")
    assert {f"hubbub_{name}" for name in ("language", "clock", "theme")} <= client.cookies.keys()
    choose(client)
    client.post(reverse("sign-out"))
    assert look_of(client.get(SIGN_IN)) == ("en", "ltr", "system", "language")


def test_cookies_with_anything_else_change_nothing(client: Client) -> None:
    for name in ("language", "clock", "theme"):
        client.cookies[f"hubbub_{name}"] = '"><script>'
    assert look_of(client.get(SIGN_IN)) == ("en", "ltr", "system", "language")


def test_a_visitor_chooses_a_language_by_a_link_and_signs_up_in_it(client: Client) -> None:
    page = client.get(f"{SIGN_IN}?next=/monitor/").text
    link = f"{reverse('language', args=['de'])}?next={quote(f'{SIGN_IN}?next=/monitor/', safe='/')}"
    assert f'href="{link}" lang="de">Deutsch</a>' in page
    answer = client.get(link)
    assert answer.headers["Location"] == f"{SIGN_IN}?next=/monitor/"
    assert look_of(client.get(SIGN_IN))[0] == "de"
    client.post(reverse("sign-up"), {"username": "dora", "password1": PASSWORD, "password2": PASSWORD})
    assert User.objects.get(username="dora").language == "de"
    assert look_of(client.get(ACCOUNT))[0] == "de"


def test_the_link_of_a_language_leads_to_no_other_site_and_to_no_other_language(client: Client) -> None:
    answer = client.get(reverse("language", args=["de"]), {"next": "https://evil.example/"})
    assert answer.headers["Location"] == SIGN_IN
    assert client.get(reverse("language", args=["fr"])).status_code == 404
    assert client.post(reverse("language", args=["de"])).status_code == 405


def test_the_language_of_a_page_ends_with_it(client: Client) -> None:
    assert look_of(client.get(SIGN_IN, headers=GERMAN))[0] == "de"
    assert translation.get_language() == "en"


def test_the_page_of_an_error_has_the_language_of_the_browser(
    alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    client.raise_request_exception = False
    monkeypatch.setattr(User, "is_authenticated", property(lambda user: 1 / 0))
    page = client.get(ACCOUNT, headers=GERMAN)
    monkeypatch.undo()
    translation.activate("en")
    assert page.status_code == 500
    assert "Etwas ist schiefgegangen" in page.text


def test_a_right_to_left_language_turns_the_page(settings: Any, alice: User, client: Client) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "العربية")]
    client.force_login(alice)
    choose(client, "ar")
    assert look_of(client.get(ACCOUNT))[:2] == ("ar", "rtl")
