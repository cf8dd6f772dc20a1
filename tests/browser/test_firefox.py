"""The main ways in Firefox: the same tests as in Chromium, each person in a browser of their own."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
from playwright.async_api import Browser

from tests.browser.test_chat_page import (  # noqa: F401
    test_a_killed_process_is_caught_up_with,
    test_a_reload_keeps_the_history_and_the_draft,
    test_a_restart_under_an_open_page_is_caught_up_with,
    test_a_session_that_is_gone_shows_the_sign_in_at_once,
    test_edit_and_delete_by_keyboard_reach_the_other,
    test_script_injection_by_a_message_stays_text,
    test_two_people_on_two_processes_talk_both_ways,
)
from tests.browser.test_one_page import (  # noqa: F401
    test_a_post_that_waits_is_sent_from_another_room,
    test_a_room_opens_at_what_is_new_and_is_read_by_looking,
    test_a_switch_of_rooms_loads_no_page_and_keeps_what_each_room_had,
)
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
