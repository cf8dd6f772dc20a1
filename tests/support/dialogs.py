"""Dialogs of the room's page, by keyboard."""

from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page

from tests.support.chat_page import Open, in_shell, make_room
from tests.support.cluster import Cluster


def dialog(page: Page, name: str) -> Locator:
    return page.locator(f"[data-role={name}-dialog]")


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def open_menu_item(page: Page, name: str) -> None:
    """Choose a command of the room's menu, by keyboard."""
    await page.get_by_role("button", name="This room").focus()
    await press(page, "Enter")
    await page.get_by_role("menuitem", name=name).press("Enter")


async def make_members(cluster: Cluster, slug: str, count: int, moderator: str) -> None:
    code = f"""
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Permission
        from chat import services
        from chat.models import Room
        users = get_user_model().objects
        room = Room.objects.get(slug={slug!r})
        moderator, _ = users.get_or_create(username={moderator!r})
        moderator.user_permissions.add(Permission.objects.get(codename="add_room"))
        services.set_membership(room_id=room.pk, user_id=moderator.pk, role="moderator")
        for number in range({count}):
            member, _ = users.get_or_create(username=f"member-{{number:03}}")
            services.set_membership(room_id=room.pk, user_id=member.pk)
        """
    await in_shell(cluster, code)


async def room_of(cluster: Cluster, open_room: Open, members: int = 0, **options: Any) -> tuple[str, Page]:
    """A new room, and its page of Mona, who moderates it and may make rooms."""
    slug = f"dialog-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    await make_members(cluster, slug, members, "mona")
    return slug, await open_room(cluster, "mona", slug, **options)
