"""The main ways in Firefox: the same tests as in Chromium, each person in a browser of their own."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from playwright.async_api import Browser, expect

from tests.browser.test_account_pages import test_two_tabs_at_the_sign_in_and_a_page_of_before  # noqa: F401
from tests.browser.test_chat_page import (  # noqa: F401
    test_a_killed_process_is_caught_up_with,
    test_a_reload_keeps_the_history_and_the_draft,
    test_a_restart_under_an_open_page_is_caught_up_with,
    test_a_session_that_is_gone_shows_the_sign_in_at_once,
    test_edit_and_delete_by_keyboard_reach_the_other,
    test_script_injection_by_a_message_stays_text,
    test_two_people_on_two_processes_talk_both_ways,
)
from tests.browser.test_chat_scrolling import (  # noqa: F401
    test_scrolling_back_reads_older_messages_and_keeps_the_place,
)
from tests.browser.test_composer import (  # noqa: F401
    test_lines_added_at_the_end_of_a_full_room_keep_the_log_at_its_end,
    test_the_field_grows_to_a_part_of_the_window_then_scrolls,
)
from tests.browser.test_composer_formats import (  # noqa: F401
    test_emoji_are_found_by_name_and_picked_by_keyboard,
    test_formats_come_and_go_by_buttons_and_keys_and_can_be_undone,
)
from tests.browser.test_dialogs import test_the_menu_and_its_dialogs_work_by_keyboard  # noqa: F401
from tests.browser.test_one_page import (  # noqa: F401
    test_a_post_that_waits_is_sent_from_another_room,
    test_a_room_opens_at_what_is_new_and_is_read_by_looking,
    test_a_switch_of_rooms_loads_no_page_and_keeps_what_each_room_had,
)
from tests.browser.test_rooms_by_people import test_a_deletion_is_undone  # noqa: F401
from tests.browser.test_trusted_types import (  # noqa: F401
    room,
    test_all_dialogs_of_a_room_open_under_the_policy,
)
from tests.support.chat_page import MESSAGE, Open, post
from tests.support.cluster import Cluster
from tests.support.firefox import Firefoxes, firefox

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.soak]


@pytest.fixture(scope="module")
async def firefoxes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefoxes]:
    async with firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


@pytest.fixture
async def browser(firefoxes: Firefoxes) -> AsyncIterator[Browser]:
    yield cast(Browser, firefoxes)
    for context in firefoxes.contexts:
        await context.close()


async def test_without_firefox_the_package_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="sudo apt-get install firefox-esr"):
        async with firefox(tmp_path):
            pass


async def test_the_clipboard_takes_a_link_and_gives_code(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body = page.locator("#body")
    await post(page, "Copy me.")
    message = page.locator(MESSAGE, has_text="Copy me.")
    await message.hover()
    await page.locator(".message-actions [data-role=link]").click()
    await body.focus()
    await page.keyboard.press("Control+v")
    await expect(body).to_have_value(re.compile(r"^http://127.0.0.1:\d+/rooms/general/[#?]\S*\d+$"))
    code = "    if x:\n        y()\nend"
    await body.fill(code)
    await body.select_text()
    await page.keyboard.press("Control+x")
    await expect(body).to_have_value("")
    await page.keyboard.press("Control+v")
    await expect(body).to_have_value(code)
    await page.get_by_role("button", name="Paste as code block").click()
    await expect(body).to_have_value(re.compile(r"^```"))
