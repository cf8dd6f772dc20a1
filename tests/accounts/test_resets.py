"""Reset links: for one use, for a time, and never for an account with rights that their maker lacks."""

import threading
from collections.abc import Iterator
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
from project.accounts import login_throttle, passwords, reset_mail
from project.accounts.conf import Accounts
from tests.support.mail_server import MailServer
from tests.support.personas import make_user
from tests.support.signing_in import HERE, NEW, PASSWORD, THERE, is_signed_in, sign_in, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

FORM = {"new_password1": NEW, "new_password2": NEW}
FORGOTTEN = "/account/forgotten/"


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


def use(link: str, client: Client | None = None, **more: str) -> Any:
    """Open the link, and send the form that it shows; the page, if it shows none."""
    client = client or Client()
    page = client.get(link, follow=True)
    if not page.context.get("validlink"):
        return page
    return client.post(page.redirect_chain[-1][0], {**FORM, **more})


def works(link: str) -> bool:
    return bool(Client().get(link, follow=True).context.get("validlink"))


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
def test_a_link_ends_with_what_it_was_made_for(admin: Client, owner: Any, how: str) -> None:
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


def test_who_is_no_staff_makes_no_link(owner: Any, bob: Any) -> None:
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
def test_two_who_use_one_link_at_once(owner: Any) -> None:
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


# By email


def test_without_a_mail_server_nobody_is_promised_a_mail(owner: Any) -> None:
    assert FORGOTTEN not in Client().get(reverse("sign-in")).text
    assert Client().get(FORGOTTEN).status_code == 404
    assert Client().post(FORGOTTEN, {"email": "alice@example.org"}).status_code == 404


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_HOST_IS_SET = True
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.address
        settings.SITE_URL = "http://testserver"
        yield server


@pytest.fixture
def mailed(transactional_db: None, owner: Any) -> Any:
    """Alice with an address. What the thread of the mails is to see must be committed."""
    owner.email = "Alice@example.org"
    owner.save()
    return owner


def ask(email: str = "alice@example.org", address: str = HERE) -> Any:
    return Client().post(FORGOTTEN, {"email": email}, REMOTE_ADDR=address)


def test_a_forgotten_password_is_replaced_by_mail(mail: MailServer, mailed: Any, caplog: Any) -> None:
    assert FORGOTTEN in Client().get(reverse("sign-in")).text
    assert ask().status_code == 200
    sent = mail.wait()
    assert sent.recipients == ["Alice@example.org"]
    assert "alice" in sent.text
    assert "within 24 hours" in sent.text
    [link] = [word for word in sent.text.split() if word.startswith("http://testserver/")]
    assert use(link).status_code == 302
    assert sign_in("alice", NEW).status_code == 302
    assert f"reset_link_made address={HERE} user={mailed.pk} connection=- 'by email'" in caplog.text
    assert "example.org" not in caplog.text


@pytest.mark.parametrize("host", ["evil.example.org", "testserver.example.org:8443"])
def test_a_mailed_link_leads_to_the_site_whatever_host_a_request_names(
    mail: MailServer, mailed: Any, settings: Any, host: str
) -> None:
    """The link would work for whoever runs that host, once the owner of the account has opened it."""
    settings.ALLOWED_HOSTS, settings.SITE_URL = [".example.org"], "https://chat.example.org"
    assert Client().post(FORGOTTEN, {"email": "alice@example.org"}, HTTP_HOST=host).status_code == 200
    [link] = [word for word in mail.wait().text.split() if "://" in word]
    assert link.startswith("https://chat.example.org/account/reset/")


def test_the_answer_does_not_tell_who_has_an_account(
    mail: MailServer, mailed: Any, django_assert_num_queries: Any
) -> None:
    make_user("gone", email="gone@example.org", is_active=False, password=PASSWORD)
    make_user("bob", email="bob@example.org")
    pages = []
    for number, email in enumerate(("alice@example.org", "nobody@example.org", "gone@example.org", "bob@example.org")):
        with django_assert_num_queries(0):
            pages.append(ask(email, f"192.0.2.{number}"))
    assert {(page.status_code, page.text) for page in pages} == {(200, pages[0].text)}
    ask("alice@example.org", "192.0.2.9")
    # They are sent in this order. An account that never had a password, or is not active, gets none.
    assert [mail.wait().recipients for _ in range(2)] == [["Alice@example.org"]] * 2
    assert len(mail.received) == 2


def test_a_mail_goes_to_the_address_on_record_and_not_to_one_that_looks_like_it(mail: MailServer, mailed: Any) -> None:
    ask("alıce@example.org")
    ask("ALICE@EXAMPLE.ORG")
    assert mail.wait().recipients == ["Alice@example.org"]
    assert len(mail.received) == 1


def test_a_slow_mail_server_keeps_nobody_waiting(mail: MailServer, mailed: Any) -> None:
    mail.is_held.set()
    began = datetime.now()
    assert ask().status_code == 200
    assert datetime.now() - began < timedelta(seconds=2)
    mail.is_held.clear()
    mail.wait()


def test_nobody_is_flooded_with_mails(mail: MailServer, mailed: Any, caplog: Any) -> None:
    assert [ask(address=f"192.0.2.{number}").status_code for number in range(4)] == [200, 200, 200, 429]
    assert [ask("nobody@example.org", f"198.51.100.{n}").status_code for n in range(4)] == [200, 200, 200, 429]
    assert [ask(f"{number}@example.org").status_code for number in range(21)] == [200] * 20 + [429]
    assert f"reset_limited address={HERE}" in caplog.text
    assert 3000 < int(ask().headers["Retry-After"]) <= 3600


def test_more_mails_than_can_wait_are_refused(
    mail: MailServer, mailed: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACCOUNTS = Accounts(reset_mails_waiting=2, reset_mails_per_email=1000)
    monkeypatch.setattr(reset_mail, "_jobs", None)
    mail.is_held.set()
    answers = []
    for _ in range(4):
        client = Client(raise_request_exception=False)
        answers.append(client.post(FORGOTTEN, {"email": "alice@example.org"}).status_code)
    mail.is_held.clear()
    assert answers[:2] == [200, 200]
    assert answers[-1] == 503
    mail.wait()


def test_a_mail_server_that_is_away_is_one_line_without_an_address(mailed: Any, settings: Any, caplog: Any) -> None:
    with MailServer() as server:
        address = server.address
    settings.EMAIL_HOST_IS_SET = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = address
    assert ask().status_code == 200
    tries_left = 500
    while "reset mail: not sent" not in caplog.text:
        tries_left -= 1
        assert tries_left
        threading.Event().wait(0.02)
    assert "ConnectionRefusedError" in caplog.text
    assert "example.org" not in caplog.text
    assert login_throttle.try_reset_mail("alice@example.org", "192.0.2.77") == 0.0
