"""Headers of every answer, and forbidden characters in addresses."""

from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse

from project.middleware import no_store
from project.page_policy import policy_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def lacking(response: Any) -> list[str]:
    expected = EXPECTED | {"Content-Security-Policy": policy_of(response.wsgi_request.path_info)}
    named = [name for name, value in expected.items() if response.headers.get(name) != value]
    return named + [name for name in ("Permissions-Policy",) if "camera=()" not in response.headers.get(name, "")]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 302),
        ("/account/sign-in/", 200),
        ("/account/sign-up/", 200),
        ("/admin/login/", 302),
        ("/nothing/here/", 404),
        ("/rooms/a%00b/", 400),
    ],
)
def test_every_answer_has_the_headers(client: Client, address: str, status: int) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert lacking(response) == []


def test_an_answer_that_failed_has_them_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr("project.accounts.views.SignUpForm", None)
    response = client.get(reverse("sign-up"))
    assert response.status_code == 500
    assert lacking(response) == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 200),
        ("/rooms/lounge/", 200),
        ("/rooms/nothing/", 404),
        ("/rooms/lounge", 301),
        ("/monitor/", 200),
        ("/?x=%00", 400),
        ("/account/sign-in/", 200),
        ("/admin/", 200),
        ("/admin/jsi18n/", 200),
        ("/admin/chat/message/", 200),
        ("/static/nothing.css", 404),
    ],
)
def test_back_after_signing_out_finds_no_page_in_a_cache(
    client: Client, root: Any, lounge: Any, address: str, status: int
) -> None:
    client.force_login(root)
    response = client.get(address)
    assert response.status_code == status
    assert "no-store" in response.headers["Cache-Control"]
    assert "private" in response.headers["Cache-Control"]


def test_a_page_that_failed_is_not_kept_either(client: Client, root: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    client.force_login(root)
    monkeypatch.setattr("chat.views.access", None)
    response = client.get("/")
    assert response.status_code == 500
    assert "no-store" in response.headers["Cache-Control"]


def test_a_view_with_its_own_cache_header_is_left_alone() -> None:
    said = HttpResponse(headers={"Cache-Control": "max-age=60, public"})
    answered = no_store(lambda request: said)(HttpRequest())
    assert answered.headers["Cache-Control"] == "max-age=60, public"
    download = HttpResponse("a,b", content_type="text/csv", headers={"Content-Disposition": "attachment"})
    assert "no-store" in no_store(lambda request: download)(HttpRequest()).headers["Cache-Control"]


def test_static_files_are_kept_by_browsers(client: Client, tmp_path: Path) -> None:
    (tmp_path / "page.css").write_text("p {}")
    response = client.get("/static/page.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "max-age=60, public"
    response.close()


def test_no_cookie_can_be_read_by_a_script(client: Client, alice: Any) -> None:
    alice.set_password("correct horse 7")
    alice.save()
    client.get(reverse("sign-in"))
    client.post(reverse("sign-in"), {"username": "alice", "password": "correct horse 7"})
    assert {"csrftoken", "sessionid"} <= client.cookies.keys()
    for cookie in client.cookies.values():
        assert cookie["httponly"], cookie.key
        assert cookie["samesite"] == "Lax", cookie.key


@pytest.mark.database
@pytest.mark.parametrize(
    "address",
    [
        "/rooms/general%00/",
        "/%00",
        "/?x=%00",
        "/account/sign-in/?next=/%00",
        "/admin/chat/room/?q=%00",
        "/admin/chat/room/?is_private__exact=%00",
        "/admin/autocomplete/?app_label=chat&model_name=membership&field_name=user&term=%00",
        "/admin/chat/room/%00/change/",
    ],
)
def test_a_nul_in_an_address_is_a_bad_request(client: Client, root: Any, address: str) -> None:
    client.force_login(root)
    response = client.get(address)
    assert response.status_code == 400
    assert "cannot read this request" in response.text


@pytest.mark.database
def test_a_nul_in_a_cookie_is_a_bad_request(client: Client) -> None:
    # As an octal escape, which Python reads, it passes every server.
    response = client.get("/", headers={"cookie": r'sessionid="\000aaaaaaaaaaaa"'})
    assert response.status_code == 400
    assert client.get("/", headers={"cookie": r"sessionid=\000aaaaaaaaaaaa"}).status_code == 302


@pytest.mark.parametrize("name", ["sign-in", "sign-up"])
def test_a_nul_in_a_field_is_an_error_beside_it(client: Client, name: str) -> None:
    response = client.post(reverse(name), {"username": "a\0b", "password": "x", "password1": "x\0", "password2": "x\0"})
    assert response.status_code == 200
    assert "Null characters are not allowed" in str(response.context["form"].errors["username"])


PARTS = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n\\ud800\r\n--b--\r\n'


@pytest.mark.database
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b; charset=hex", PARTS),
        ("multipart/form-data; boundary=b; charset=undefined", PARTS),
        ("multipart/form-data; boundary=b; charset=unicode_escape", PARTS),
        ("multipart/form-data; boundary=b; charset=nonsense", PARTS),
        ("application/x-www-form-urlencoded; charset=utf-16", b"username=a"),
    ],
)
def test_a_form_in_another_encoding_is_a_bad_request(kind: str, body: bytes) -> None:
    """As anybody may send it who has asked for the page before."""
    client = Client(enforce_csrf_checks=True)
    secret = "a" * 32
    client.cookies["csrftoken"] = secret
    response = client.generic("POST", reverse("sign-in"), body, kind, headers={"X-CSRFToken": secret})
    assert response.status_code == 400
    assert lacking(response) == []


def test_a_multipart_form_in_utf8_is_read(client: Client) -> None:
    response = client.post(reverse("sign-in"), {"username": "Zoë", "password": "x"})
    assert response.status_code == 200
    assert response.wsgi_request.POST["username"] == "Zoë"
