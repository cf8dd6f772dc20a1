"""Pictures of users on the site: who may see them, and what becomes of old ones."""

import pytest
from django.test import Client
from django.urls import reverse

from hubbub import users
from project.accounts import pictures
from project.accounts.models import Picture, User
from tests.support.account_page import ACCOUNT
from tests.support.pictures import BLUE, error_of, file_of, plain, upload

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


@pytest.fixture
def here(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def address(user: User) -> str:
    user.refresh_from_db()
    return reverse("person-picture", args=[user.shown_picture])


def test_a_picture_is_for_signed_in_users_and_kept_by_browsers(here: Client, alice: User, bob: User) -> None:
    upload(here, file_of(plain()))
    other = Client()
    assert other.get(address(alice)).status_code == 403
    assert other.get(address(alice)).headers["Cache-Control"] == "no-store, private"
    other.force_login(bob)
    answer = other.get(address(alice))
    assert answer.content == bytes(Picture.objects.get().webp)
    expected = {
        "Content-Type": "image/webp",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    again = other.get(address(alice), headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert other.post(address(alice)).status_code == 405
    assert other.get("/account/pictures/nothing.webp").status_code == 404


def test_an_old_picture_is_gone(here: Client, alice: User) -> None:
    upload(here, file_of(plain()))
    first = address(alice)
    upload(here, file_of(plain(color=BLUE)))
    assert Picture.objects.count() == 1
    assert here.get(first).status_code == 404
    second = address(alice)
    assert here.get(second).status_code == 200
    assert f'src="{second}"' in here.get(ACCOUNT).text
    removed = {"form": "profile", "shown_name": "", "shown_status": "", "remove_picture": "on"}
    assert here.post(ACCOUNT, removed).status_code == 302
    alice.refresh_from_db()
    assert (users.picture_of(alice), Picture.objects.count()) == ("", 0)
    assert here.get(second).status_code == 404


def test_a_refused_picture_leaves_the_one_before(here: Client, alice: User) -> None:
    upload(here, file_of(plain()))
    before = address(alice)
    answer = upload(here, b"no picture", shown_name="Ada")
    assert error_of(answer) == pictures.WRONG_TYPE
    assert address(alice) == before
    assert alice.shown_name == ""
    assert here.get(before).status_code == 200


def test_a_deleted_account_has_no_picture(here: Client, alice: User, root: User) -> None:
    upload(here, file_of(plain()))
    before = address(alice)
    alice.delete()
    here.force_login(root)
    assert here.get(before).status_code == 404


def test_staff_removes_a_picture(here: Client, alice: User, root: User) -> None:
    upload(here, file_of(plain()))
    here.force_login(root)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    assert 'name="remove_picture"' in here.get(page).text
    given = {"username": "alice", "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    assert here.post(page, given | {"remove_picture": "on"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.shown_picture, Picture.objects.count()) == ("", 0)
    assert 'name="remove_picture"' not in here.get(page).text
