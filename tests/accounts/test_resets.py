"""Reset links of an administrator: one use, a time limit, and no account with rights that their maker lacks."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from project.accounts import passwords
from tests.support.personas import make_user
from tests.support.reset_links import FORM, use, works
from tests.support.signing_in import NEW, PASSWORD, THERE, is_signed_in, sign_in, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static"), pytest.mark.slow]


def admins_page(user: Any) -> str:
    return f"/admin/accounts/user/{user.pk}/reset-link/"


def make_link(admin: Client, user: Any) -> str:
    """As the administrator does: press the button, say yes, copy the link."""
    assert admins_page(user) in admin.get(f"/admin/accounts/user/{user.pk}/change/").text
    assert admin.get(admins_page(user)).status_code == 200
    page = admin.post(admins_page(user))
    link: str = page.context["link"]
    assert link in page.text
    return link


@pytest.fixture
def admin(root: Any) -> Client:
    client = Client(REMOTE_ADDR=THERE)
    client.force_login(root)
    return client


@pytest.fixture
def stan() -> Any:
    """Staff who may change users, and no more."""
    user = make_user("stan", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    return user


@pytest.fixture
def stans(stan: Any) -> Client:
    client = Client()
    client.force_login(stan)
    return client


# An administrator's


def test_a_link_sets_a_password_once(admin: Client, owner: Any, root: Any, caplog: Any) -> None:
    here = signed_in("alice")
    link = make_link(admin, owner)
    assert is_signed_in(here)
    assert use(link).headers["Location"] == reverse("sign-in")
    assert not is_signed_in(here)
    assert sign_in("alice", PASSWORD).status_code == 200
    assert "does not work" in use(link).text
    assert sign_in("alice", NEW).status_code == 302
    [entry] = LogEntry.objects.all()
    assert (entry.user, entry.object_id, entry.get_change_message()) == (root, str(owner.pk), "Made a reset link.")
    assert f"reset_link_made address={THERE} user={owner.pk} connection=- 'by user {root.pk}'" in caplog.text
    assert f"password_changed address=127.0.0.1 user={owner.pk} connection=- 'by a reset link'" in caplog.text
    assert link.rsplit("/", 2)[1] not in caplog.text


def test_the_page_of_a_link_asks_about_the_tokens(admin: Client, owner: Any) -> None:
    create_token(user=owner, name="probe", expires_at=None)
    use(make_link(admin, owner))
    assert AccessToken.objects.usable().count() == 1
    use(make_link(admin, owner), end_tokens="on")
    assert AccessToken.objects.usable().count() == 0


def test_an_account_without_a_password_gets_its_first_one(admin: Client, bob: Any) -> None:
    assert use(make_link(admin, bob)).status_code == 302
    assert sign_in("bob", NEW).status_code == 302


def test_the_secret_of_a_link_does_not_stay_in_the_address(admin: Client, owner: Any) -> None:
    link = make_link(admin, owner)
    page = Client().get(link, follow=True)
    assert link.rsplit("/", 2)[1] not in page.redirect_chain[-1][0]
    assert link.rsplit("/", 2)[1] not in page.text
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_a_link_is_shown_once(admin: Client, owner: Any) -> None:
    link = make_link(admin, owner)
    for page in (
        admins_page(owner),
        f"/admin/accounts/user/{owner.pk}/change/",
        f"/admin/accounts/user/{owner.pk}/history/",
    ):
        assert link.rsplit("/", 2)[1] not in admin.get(page).text


def test_opening_a_link_uses_it_not_up(admin: Client, owner: Any) -> None:
    """Programs that show a preview of links open them."""
    link = make_link(admin, owner)
    assert works(link)
    assert use(link).status_code == 302


def test_a_link_ends_after_its_time(admin: Client, owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    link = make_link(admin, owner)
    assert "within 24 hours" in admin.get(admins_page(owner)).text
    now = datetime.now()
    monkeypatch.setattr(passwords.reset_tokens, "_now", lambda: now + timedelta(hours=23, minutes=59))
    assert works(link)
    monkeypatch.setattr(passwords.reset_tokens, "_now", lambda: now + timedelta(hours=24, minutes=1))
    assert not works(link)


ENDS = {
    "signed in meanwhile": lambda user: signed_in("alice"),
    "deactivated": lambda user: type(user).objects.filter(pk=user.pk).update(is_active=False),
    "another password": lambda user: type(user).objects.filter(pk=user.pk).update(password="!x"),
    "another email address": lambda user: type(user).objects.filter(pk=user.pk).update(email="new@example.org"),
    "made staff": lambda user: type(user).objects.filter(pk=user.pk).update(is_staff=True),
    "made a superuser": lambda user: type(user).objects.filter(pk=user.pk).update(is_superuser=True),
    "a permission given": lambda user: user.user_permissions.add(Permission.objects.get(codename="view_dashboard")),
    "deleted": lambda user: user.delete(),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_link_ends_when_its_account_changes(admin: Client, owner: Any, how: str) -> None:
    link = make_link(admin, owner)
    assert works(link)
    ENDS[how](owner)
    assert not works(link)


def test_a_link_that_was_opened_before_the_account_got_more_rights(stans: Client, owner: Any) -> None:
    """Stan may help Alice, and may not become a superuser by her."""
    link, thief = make_link(stans, owner), Client()
    page = thief.get(link, follow=True).redirect_chain[-1][0]
    type(owner).objects.filter(pk=owner.pk).update(is_superuser=True)
    assert thief.post(page, FORM).status_code == 200
    assert sign_in("alice", NEW).status_code == 200


def with_group() -> Any:
    group = Group.objects.create(name="watchers")
    group.permissions.add(Permission.objects.get(codename="view_dashboard"))
    user = make_user("target")
    user.groups.add(group)
    return user


def with_permission() -> Any:
    user = make_user("target")
    user.user_permissions.add(Permission.objects.get(codename="view_dashboard"))
    return user


BEYOND = {
    "a superuser": lambda: make_user("target", is_superuser=True),
    "one with a permission": with_permission,
    "one with a permission by a group": with_group,
    "an account that is not active": lambda: make_user("target", is_active=False),
}


@pytest.mark.parametrize("who", BEYOND)
def test_no_link_for_an_account_with_rights_that_the_administrator_lacks(stans: Client, who: str) -> None:
    target = BEYOND[who]()
    assert admins_page(target) not in stans.get(f"/admin/accounts/user/{target.pk}/change/").text
    assert stans.get(admins_page(target)).status_code == 403
    assert stans.post(admins_page(target)).status_code == 403
    assert not LogEntry.objects.exists()


def test_a_link_for_an_account_with_the_same_rights(stans: Client, stan: Any) -> None:
    target = make_user("target", is_staff=True)
    target.user_permissions.set(stan.user_permissions.all())
    assert use(make_link(stans, target)).status_code == 302


@pytest.mark.parametrize("rights", [[], ["view_user"], ["add_user", "delete_user", "view_user"]])
def test_staff_who_may_not_change_users_make_no_link(owner: Any, rights: list[str]) -> None:
    staff = make_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(staff)
    assert client.get(admins_page(owner)).status_code == 403
    assert client.post(admins_page(owner)).status_code == 403


def test_a_user_who_is_not_staff_makes_no_link(owner: Any, bob: Any) -> None:
    client = Client()
    client.force_login(bob)
    assert client.post(admins_page(owner)).status_code == 302
    assert client.get(f"/admin/accounts/user/{2**70}/reset-link/").status_code == 302
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "link",
    ["/account/reset/MQ/x-y/", "/account/reset/~~/x-y/", "/account/reset/gICA/x-y/", "/account/reset/MQ/set-password/"],
)
def test_a_link_that_was_made_up(owner: Any, link: str) -> None:
    page = Client().get(link)
    assert page.status_code == 200
    assert "does not work" in page.text
    assert Client().post(link, FORM).status_code == 200
    assert sign_in("alice", PASSWORD).status_code == 302


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_two_uses_of_one_link_at_once(owner: Any) -> None:
    link = passwords.reset_link(owner, "http://testserver")
    clients = [Client(), Client()]
    pages = [client.get(link, follow=True).redirect_chain[-1][0] for client in clients]
    together, answers = threading.Barrier(2), []

    def send(number: int) -> None:
        given = f"another staple {number}"
        together.wait(10)
        try:
            answer = clients[number].post(pages[number], {"new_password1": given, "new_password2": given})
            answers.append((answer.status_code, given))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(status for status, _ in answers) == [200, 302]
    [password] = [given for status, given in answers if status == 302]
    owner.refresh_from_db()
    assert owner.check_password(password)
