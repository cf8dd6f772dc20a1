"""Our settings with another team's users."""

import os

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = ["tests.foreign", *(app for app in OURS if app != "project.accounts")]
AUTH_USER_MODEL = f"foreign.{os.environ.get('FOREIGN_USER_MODEL', 'Member')}"
ROOT_URLCONF = "tests.foreign.urls"
