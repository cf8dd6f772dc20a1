"""A server that stops in the middle of a dialog's command: nothing that was typed is lost."""

import os
import signal

import pytest
from playwright.async_api import expect

from tests.support.chat_page import Open, ready
from tests.support.cluster import Cluster, until
from tests.support.dialogs import dialog, open_menu_item, press, room_of

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


async def rooms_titled(cluster: Cluster, *titles: str) -> str:
    code = f"from chat.models import Room; print(Room.objects.filter(title__in={titles!r}).count())"
    return cluster.shell(code).strip()


async def test_a_server_that_stops_in_the_middle_loses_nothing_of_a_dialog(mended: Cluster, open_room: Open) -> None:
    _, page = await room_of(mended, open_room)
    await open_menu_item(page, "Members")
    await press(page, "Escape")
    await page.get_by_role("button", name="New room").press("Enter")
    found = dialog(page, "create")
    await page.keyboard.type("Tea")
    await page.get_by_role("checkbox", name="Private").check()
    frozen = await stop_all(mended, signal.SIGSTOP)
    await page.get_by_label("Title").press("Enter")
    await expect(found).to_contain_text("Waiting for the server")
    await expect(page.get_by_label("Title")).to_be_focused()
    for pid in frozen:
        os.kill(pid, signal.SIGKILL)
    problem = found.get_by_role("alert")
    await expect(problem).to_have_text("The connection was lost; try again.")
    await expect(page.get_by_label("Title")).to_have_value("Tea")
    await expect(page.get_by_role("checkbox", name="Private")).to_be_checked()
    await page.get_by_label("Title").fill("Coffee")
    await page.wait_for_selector("html[data-state=open]")
    await page.get_by_label("Title").press("Enter")
    await expect(page.locator("[data-role=title]")).to_have_text("Coffee")
    await expect(page.locator("dialog[open]")).to_have_count(0)
    assert await rooms_titled(mended, "Tea", "Coffee") == "1"

    # The other dialogs: one sentence, and the button works again.
    await ready(page)
    await open_menu_item(page, "Room settings")
    await page.get_by_label("Description").fill("Hot")
    frozen = await stop_all(mended, signal.SIGSTOP)
    await page.get_by_label("Description").press("Enter")
    for pid in frozen:
        os.kill(pid, signal.SIGKILL)
    await expect(dialog(page, "settings").get_by_role("alert")).to_have_text("The connection was lost; try again.")
    await page.wait_for_selector("html[data-state=open]")
    await page.get_by_role("button", name="Save").press("Enter")
    await expect(page.locator("[data-role=description]")).to_have_text("Hot")

    frozen = await stop_all(mended, signal.SIGSTOP)
    await open_menu_item(page, "Members")
    for pid in frozen:
        os.kill(pid, signal.SIGKILL)
    await expect(dialog(page, "members").get_by_role("alert")).to_have_text("The connection was lost; try again.")
    await page.wait_for_selector("html[data-state=open]")
    await page.get_by_role("button", name="Load again").press("Enter")
    await expect(dialog(page, "members").locator(".member")).to_have_count(1)
    await expect(dialog(page, "members").get_by_role("alert")).to_have_text("")


async def stop_all(cluster: Cluster, number: signal.Signals) -> list[int]:
    """Send a signal to all web processes, and return their ids."""
    pids = await until(lambda: [pid for name in ("web-1", "web-2") if (pid := cluster.pid_of(name))])
    for pid in pids:
        os.kill(pid, number)
    return list(pids)
