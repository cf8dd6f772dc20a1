"""Staff in the admin cannot gain more rights than they have, by forms or by hand-made requests."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from project.accounts.escalation import NOT_YOURS_TO_GIVE
from project.accounts.rights import find_beyond, lacks_rights_of
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

USERS = reverse("admin:accounts_user_changelist")
GROUPS = reverse("admin:auth_group_changelist")
# Stan may change users and groups, and has the permissions named here.
GIVEN = ["view_user", "add_user", "change_user", "delete_user"]
GIVEN += [f"{action}_group" for action in ("view", "add", "change", "delete")]
PASSWORD = "kettle-boils-9"


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def make_group(name: str, *codenames: str) -> Group:
    group = Group.objects.create(name=name)
    group.permissions.set(Permission.objects.filter(codename__in=codenames))
    return group


@pytest.fixture
def stan(db: None) -> Any:
    user = make_user("stan", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=GIVEN))
    return user


@pytest.fixture
def by_stan(client: Client, stan: Any) -> Client:
    client.force_login(stan)
    return client


def page_of(user: Any, kind: str = "change") -> str:
    return reverse(f"admin:accounts_user_{kind}", args=[user.pk])


def change(client: Client, user: Any, **changes: Any) -> Any:
    """Send the form of a user as by hand: with fields that the page may not offer."""
    fields = {"username": user.username, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    if user.is_staff:
        fields["is_staff"] = "on"
    return client.post(page_of(user), {**fields, **changes})


def names(user: Any) -> set[str]:
    permissions: set[str] = get_user_model().objects.get(pk=user.pk).get_all_permissions()
    return permissions


def errors_of(response: Any, field: str) -> list[str]:
    assert response.status_code == 200
    errors: list[str] = response.context["adminform"].form.errors.get(field, [])
    return errors


def test_staff_who_give_themselves_a_permission(by_stan: Client, stan: Any) -> None:
    before = names(stan)
    keys = [permission(codename).pk for codename in (*GIVEN, "view_dashboard")]
    assert errors_of(change(by_stan, stan, user_permissions=keys), "user_permissions") == [NOT_YOURS_TO_GIVE]
    assert names(stan) == before


def test_staff_who_make_themselves_a_superuser(by_stan: Client, stan: Any) -> None:
    keys = [permission(codename).pk for codename in GIVEN]
    assert change(by_stan, stan, user_permissions=keys, is_superuser="on").status_code == 302
    assert not get_user_model().objects.get(pk=stan.pk).is_superuser


def test_staff_who_make_another_user_a_superuser(by_stan: Client, alice: Any) -> None:
    assert change(by_stan, alice, is_superuser="on", is_staff="on").status_code == 302
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (True, False)


def test_staff_who_put_themselves_into_a_group_with_more_rights(by_stan: Client, stan: Any) -> None:
    moderators = make_group("moderators", "view_user", "delete_message")
    before = names(stan)
    keys = [permission(codename).pk for codename in GIVEN]
    response = change(by_stan, stan, user_permissions=keys, groups=[moderators.pk])
    assert errors_of(response, "groups") == [NOT_YOURS_TO_GIVE]
    assert names(stan) == before


def test_staff_who_give_a_permission_to_their_own_group(by_stan: Client, stan: Any) -> None:
    helpers = make_group("helpers", "view_user")
    stan.groups.add(helpers)
    address = reverse("admin:auth_group_change", args=[helpers.pk])
    keys = [permission("view_user").pk, permission("view_dashboard").pk]
    response = by_stan.post(address, {"name": "helpers", "permissions": keys})
    assert errors_of(response, "permissions") == [NOT_YOURS_TO_GIVE]
    assert "monitor.view_dashboard" not in names(stan)


def test_staff_who_make_a_group_with_more_rights(by_stan: Client) -> None:
    keys = [permission("view_dashboard").pk]
    response = by_stan.post(reverse("admin:auth_group_add"), {"name": "watchers", "permissions": keys})
    assert errors_of(response, "permissions") == [NOT_YOURS_TO_GIVE]
    assert not Group.objects.exists()


@pytest.mark.parametrize("kind", ["change", "delete"])
def test_staff_who_change_or_delete_a_group_with_more_rights(by_stan: Client, kind: str) -> None:
    watchers = make_group("watchers", "view_dashboard")
    address = reverse(f"admin:auth_group_{kind}", args=[watchers.pk])
    assert by_stan.post(address, {"name": "mine", "post": "yes"}).status_code == 403
    assert Group.objects.get().name == "watchers"


def test_staff_who_delete_selected_groups_with_more_rights(by_stan: Client) -> None:
    watchers = make_group("watchers", "view_dashboard")
    by_stan.post(GROUPS, {"action": "delete_selected", "_selected_action": [watchers.pk], "post": "yes"})
    assert Group.objects.exists()


def take_over(client: Client, user: Any) -> Any:
    fields = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    return client.post(reverse("admin:auth_user_password_change", args=[user.pk]), fields)


def test_staff_who_set_the_password_of_a_superuser(by_stan: Client, root: Any) -> None:
    assert take_over(by_stan, root).status_code == 403
    assert not get_user_model().objects.get(pk=root.pk).check_password(PASSWORD)


@pytest.mark.parametrize("via_group", [True, False])
@pytest.mark.parametrize("is_active", [True, False])
def test_staff_who_take_over_somebody_with_more_rights(
    by_stan: Client, alice: Any, via_group: bool, is_active: bool
) -> None:
    """One who is not active, too: it is one more click to make them so."""
    if via_group:
        alice.groups.add(make_group("watchers", "view_dashboard"))
    else:
        alice.user_permissions.add(permission("view_dashboard"))
    alice.is_active = is_active
    alice.save()
    assert take_over(by_stan, alice).status_code == 403
    assert change(by_stan, alice, email="stan@example.org").status_code == 403
    assert by_stan.post(page_of(alice, "delete"), {"post": "yes"}).status_code == 403
    assert not get_user_model().objects.get(pk=alice.pk).email


@pytest.mark.parametrize("changes", [{"email": "stan@example.org"}, {"is_active": ""}, {"is_superuser": ""}])
def test_staff_who_change_a_superuser(by_stan: Client, root: Any, changes: dict[str, str]) -> None:
    assert change(by_stan, root, **changes).status_code == 403
    root.refresh_from_db()
    assert (root.email, root.is_active, root.is_superuser) == ("", True, True)


def test_staff_who_delete_a_superuser(by_stan: Client, root: Any) -> None:
    assert by_stan.post(page_of(root, "delete"), {"post": "yes"}).status_code == 403
    by_stan.post(USERS, {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"})
    assert get_user_model().objects.filter(pk=root.pk).exists()


def test_staff_who_delete_a_superuser_among_others(by_stan: Client, root: Any, alice: Any, bob: Any) -> None:
    keys = [alice.pk, root.pk, bob.pk]
    fields = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    page = by_stan.post(USERS, fields, follow=True)
    assert "root (the account has permissions that you do not have)" in page.text
    assert set(get_user_model().objects.filter(pk__in=keys)) == {root}


def test_rights_that_staff_cannot_give_are_not_offered(by_stan: Client, stan: Any, alice: Any, root: Any) -> None:
    make_group("watchers", "view_dashboard")
    make_group("helpers", "view_user")
    form = by_stan.get(page_of(alice)).context["adminform"].form
    assert set(form.fields["user_permissions"].queryset) == set(stan.user_permissions.all())
    assert [group.name for group in form.fields["groups"].queryset] == ["helpers"]
    assert "is_superuser" not in form.fields
    # A user with more rights is shown as text.
    page = by_stan.get(page_of(root))
    assert page.status_code == 200
    assert set(page.context["adminform"].form.fields) == {"password"}, "a text that says how it is kept"


def test_staff_give_their_own_rights_and_change_users_with_no_more(by_stan: Client, alice: Any) -> None:
    helpers = make_group("helpers", "view_user")
    response = change(by_stan, alice, user_permissions=[permission("add_user").pk], groups=[helpers.pk])
    assert response.status_code == 302
    assert names(alice) == {"accounts.add_user", "accounts.view_user"}
    assert take_over(by_stan, alice).status_code == 302
    assert by_stan.post(page_of(alice, "delete"), {"post": "yes"}).status_code == 302


def test_a_superuser_has_all_rights(client: Client, root: Any, stan: Any, alice: Any) -> None:
    client.force_login(root)
    watchers = make_group("watchers", "view_dashboard")
    assert change(client, stan, is_superuser="on", groups=[watchers.pk]).status_code == 302
    assert get_user_model().objects.get(pk=stan.pk).is_superuser
    assert take_over(client, stan).status_code == 302


def test_rights_are_compared_for_many_users_by_few_queries(
    stan: Any, root: Any, alice: Any, bob: Any, django_assert_max_num_queries: Any
) -> None:
    bob.user_permissions.add(permission("view_user"))
    alice.user_permissions.add(permission("view_user"), permission("view_dashboard"))
    mona = make_user("mona", is_staff=True)
    with django_assert_max_num_queries(4):
        assert find_beyond(stan, [stan, root, alice, bob, mona]) == {root.pk, alice.pk}
    assert find_beyond(root, [stan, alice]) == set()
    assert lacks_rights_of(stan, root)
    assert lacks_rights_of(bob, mona), "staff, without being staff"
    assert not lacks_rights_of(stan, stan)
