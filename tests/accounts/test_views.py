"""Sign in, sign up and sign out, as a browser sends them."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from project.accounts.forms import SignUpForm

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

PASSWORD = "correct horse 7"


def sign_up(client: Client, **changes: str) -> Any:
    given = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}
    return client.post(reverse("sign-up"), {**given, **changes})


def errors_of(response: Any, field: str) -> list[str]:
    assert response.status_code == 200
    errors: list[str] = response.context["form"].errors.get(field, [])
    return errors


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_sign_up_makes_an_account_and_signs_it_in(client: Client, site_hashers: None) -> None:
    response = sign_up(client)
    assert response.status_code == 302
    assert response.headers["Location"] == reverse("chat:lobby")
    assert signed_in(client)
    assert get_user_model().objects.get(username="dora").check_password(PASSWORD)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"username": "Alice"}, "username", "This name is taken"),
        ({"username": "two words"}, "username", "without spaces"),
        ({"username": ""}, "username", "required"),
        ({"password2": "other horse 7"}, "password2", "differ"),
        ({"password1": "password1", "password2": "password1"}, "password1", "too common"),
    ],
)
def test_an_error_is_beside_its_field(
    client: Client, alice: Any, changes: dict[str, str], field: str, words: str
) -> None:
    response = sign_up(client, **changes)
    assert any(words in error for error in errors_of(response, field))
    assert f'id="id_{field}_error"' in response.text
    assert not signed_in(client)


@pytest.mark.parametrize("changes", [{"password2": "other"}, {"password1": "password1", "password2": "password1"}])
def test_a_refused_password_is_entered_again_from_the_first_field(client: Client, changes: dict[str, str]) -> None:
    page = sign_up(client, **changes).text
    [first] = [part.split(">")[0] for part in page.split("<input") if 'id="id_password1"' in part]
    assert "autofocus" in first
    assert page.count("autofocus") == 1
    described = first.split('aria-describedby="')[1].split('"')[0].split()
    assert all(f'id="{field}"' in page for field in described)
    assert described[-1].endswith("_error")


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2066b", "a\tb", "a\x1bb", "a\u200bb", "a\0b", "<b>"])
def test_a_name_that_deceives_is_refused(client: Client, root: Any, name: str) -> None:
    assert errors_of(sign_up(client, username=name), "username")
    given = {"username": name, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    client.force_login(root)
    answer = client.post(reverse("admin:accounts_user_add"), given)
    assert answer.context["adminform"].form.errors["username"]
    assert get_user_model().objects.count() == 1


@pytest.mark.parametrize("alike", ["ｄｏｒａ", "dora", "DORA"])
def test_a_name_that_looks_like_another_is_taken(client: Client, alike: str) -> None:
    sign_up(client)
    assert errors_of(sign_up(Client(), username=alike), "username") == [
        "This name is taken, or looks like a name that is taken."
    ]


def test_a_name_is_kept_normalized(client: Client) -> None:
    sign_up(client, username="Jose\u0301")
    assert get_user_model().objects.get().username == "José"


def test_a_name_taken_between_check_and_save_is_an_error_on_the_field(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(form: SignUpForm) -> None:
        raise IntegrityError

    monkeypatch.setattr(SignUpForm, "save", taken)
    assert errors_of(sign_up(client), "username") == ["This name is taken, or looks like a name that is taken."]


def test_sign_up_can_be_closed(client: Client, settings: Any) -> None:
    settings.SIGN_UP_OPEN = False
    response = sign_up(client)
    assert response.status_code == 404
    assert "closed" in response.text
    assert not get_user_model().objects.exists()
    assert reverse("sign-up") not in client.get(reverse("sign-in")).text


def test_sign_in_goes_where_one_was_going(client: Client, alice: Any) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    wanted = client.get(reverse("chat:room", args=["lounge"]))
    response = client.post(wanted.headers["Location"], {"username": "alice", "password": PASSWORD})
    assert response.headers["Location"] == reverse("chat:room", args=["lounge"])


@pytest.mark.parametrize("name", ["sign-in", "sign-up"])
@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "https:evil.example"]
)
def test_open_redirect_by_next(client: Client, alice: Any, name: str, where: str) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    fields = {"sign-in": {"username": "alice", "password": PASSWORD}, "sign-up": {"username": "dora"}}[name]
    given = {"password1": PASSWORD, "password2": PASSWORD, **fields, "next": where}
    assert where not in client.get(reverse(name), {"next": where}).text
    assert client.post(reverse(name), given).headers["Location"] == reverse("chat:lobby")


@pytest.mark.parametrize("word", ["x", "room", "lobby"])
def test_a_next_that_is_a_word_is_an_address_and_no_name_of_a_view(client: Client, root: Any, word: str) -> None:
    assert sign_up(client, next=word).headers["Location"] == word
    client.force_login(root)
    assert client.get("/admin/login/", {"next": word}).headers["Location"] == word


def test_a_wrong_password_says_so_without_telling_which_names_exist(client: Client, alice: Any) -> None:
    pages = [client.post(reverse("sign-in"), {"username": name, "password": "wrong"}) for name in ("alice", "nobody")]
    errors = {errors_of(page, "__all__")[0] for page in pages}
    assert errors == {"Wrong name or password. Capital letters in the password matter."}


def test_sign_out_needs_a_post(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get(reverse("sign-out")).status_code == 405
    assert signed_in(client)
    assert client.post(reverse("sign-out")).headers["Location"] == reverse("sign-in")
    assert not signed_in(client)


def test_password_managers_know_the_fields(client: Client) -> None:
    page = client.get(reverse("sign-up")).text
    assert page.count('autocomplete="new-password"') == 2
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in client.get(reverse("sign-in")).text
