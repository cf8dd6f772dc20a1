"""Settings of the site with one page more: see `busy_urls`."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.support.busy_urls"
