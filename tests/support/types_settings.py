"""Settings for mypy's Django plugin: the models of the site, and those of the examples."""

import sys

from project.settings import *  # noqa: F403
from project.settings import BASE_DIR, INSTALLED_APPS

sys.path.append(str(BASE_DIR / "examples"))
INSTALLED_APPS = [*INSTALLED_APPS, "polls", "bell", "orders"]
