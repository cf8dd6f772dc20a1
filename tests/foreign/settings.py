"""Our settings with another team's users."""

import os

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as OURS
from project.settings import MIDDLEWARE as OUR_MIDDLEWARE

INSTALLED_APPS = ["tests.foreign", *(app for app in OURS if app != "project.accounts")]
AUTH_USER_MODEL = f"foreign.{os.environ.get('FOREIGN_USER_MODEL', 'Member')}"
ROOT_URLCONF = "tests.foreign.urls"
# Belongs to the project's own user model.
MIDDLEWARE = [name for name in OUR_MIDDLEWARE if not name.startswith("project.accounts.")]
CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
