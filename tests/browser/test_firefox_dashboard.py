"""The dashboard in Firefox: the same tests as in Chromium."""

from tests.browser.test_dashboard_page import (  # noqa: F401
    cluster,
    mona,
    test_a_process_has_charts_too_by_keyboard,
    test_it_says_offline_when_its_process_dies_and_comes_back_on_another,
    test_the_dashboard_moves,
    visit,
)
from tests.browser.test_firefox import browser, firefoxes, pytestmark  # noqa: F401
