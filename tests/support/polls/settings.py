"""The settings of a site with polls: the project's pages, and a view that votes."""

from tests.support.settings import *  # noqa: F403

ROOT_URLCONF = "tests.support.polls.views"
