"""What a join tells of the user's rights, and of a room that is made private or public."""

from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from chat import services
from chat.models import Room
from chat.topics import RoomTopic
from hubbub.auth import permissions
from hubbub.testing import connect, published
from tests.support.joins import join
from tests.support.personas import make_user
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database, pytest.mark.usefixtures("plain_static")]


class OwnBackend(ModelBackend):
    """As Django's own, but permissions may come from elsewhere."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return bool(perm == "chat.change_room" and user_obj.get_username() == "elsewhere") or super().has_perm(
            user_obj, perm, obj
        )


def users_by_right() -> dict[str, tuple[Any, bool]]:
    """Users, and whether each manages a public room."""
    change = Permission.objects.get(codename="change_room", content_type__app_label="chat")
    group, other_group = Group.objects.create(name="Hosts"), Group.objects.create(name="Others")
    group.permissions.add(change)
    other_group.permissions.add(Permission.objects.get(codename="view_room", content_type__app_label="chat"))
    users = {name: make_user(name) for name in ("nobody", "direct", "in-group", "in-other", "elsewhere")}
    users["direct"].user_permissions.add(change)
    users["in-group"].groups.add(other_group, group)
    users["in-other"].groups.add(other_group)
    users["elsewhere"].user_permissions.add(Permission.objects.get(codename="change_message"))
    users["root"] = make_user("chief", is_superuser=True)
    return {name: (user, name in ("direct", "in-group", "root")) for name, user in users.items()}


def test_a_join_tells_who_manages_the_room_as_its_page_does(client: Any, mona: Any, alice: Any, lounge: Room) -> None:
    services.set_membership(room_id=lounge.pk, user_id=mona.pk, role="moderator")
    assert join(mona, lounge).viewer.manages
    assert not join(alice, lounge).viewer.manages
    for name, (user, manages) in users_by_right().items():
        assert join(user, lounge).viewer.manages == manages, name
        client.force_login(user)
        page = client.get(reverse("chat:room", args=["lounge"])).text
        assert f'data-manages="{"true" if manages else "false"}"' in page, name


def test_a_permission_that_is_given_or_taken_shows_at_the_next_join(alice: Any, lounge: Room) -> None:
    change = Permission.objects.get(codename="change_room", content_type__app_label="chat")
    assert not join(alice, lounge).viewer.manages
    alice.user_permissions.add(change)
    assert join(alice, lounge).viewer.manages
    alice.user_permissions.clear()
    assert not join(alice, lounge).viewer.manages
    group = Group.objects.create(name="Hosts")
    alice.groups.add(group)
    assert not join(alice, lounge).viewer.manages
    group.permissions.add(change)
    assert join(alice, lounge).viewer.manages
    group.delete()
    assert not join(alice, lounge).viewer.manages


def test_permissions_are_read_once_for_many_joins(alice: Any, lounge: Room, django_assert_num_queries: Any) -> None:
    join(alice, lounge)
    for room in (services.create_room(slug=f"room-{number}", title="Room") for number in range(3)):
        with django_assert_num_queries(2):  # The room, and its page.
            join(alice, room)


def test_a_permission_that_changes_while_it_is_read_is_read_again(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = permissions._read

    def read_before_a_change(user_id: str, permission: str) -> bool:
        answer = read(user_id, permission)
        alice.user_permissions.add(Permission.objects.get(codename="change_room"))
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(permissions, "_read", read_before_a_change)
        assert not join(alice, lounge).viewer.manages
    assert join(alice, lounge).viewer.manages


def test_permissions_of_an_own_backend_count(settings: Any, lounge: Room) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnBackend"]
    for name, (user, manages) in users_by_right().items():
        assert join(user, lounge).viewer.manages == (manages or name == "elsewhere"), name


async def test_a_room_tells_that_it_is_made_public_and_private(alice: Any, mona: Any, attic: Room) -> None:
    async with connect(RoomTopic, "attic", user=alice) as page, connect(RoomTopic, "attic", user=mona) as other:
        assert page.state["room"]["private"] is True
        for is_private in (False, True):
            await in_thread(services.change_room)(room_id=attic.pk, is_private=is_private)
            for each in (page, other):
                assert (await each.event("room.changed"))["changes"] == {"private": is_private}


def test_a_room_that_is_made_private_tells_its_new_title_to_no_one_who_loses_it(alice: Any, lounge: Room) -> None:
    services.set_membership(room_id=lounge.pk, user_id=alice.pk)
    with published() as frames:
        services.change_room(room_id=lounge.pk, is_private=True, title="Secret plans")
    assert "Secret plans" not in str(frames)
    joined = join(alice, lounge, after=0, epoch=lounge.epoch)
    assert joined.events[-1]["changes"] == {
        "title": "Secret plans",
        "description": "",
        "private": True,
        "archived": False,
    }
