"""Settings of the site with connections that Django keeps open, and without a pool."""

from project.settings import *  # noqa: F403
from project.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["OPTIONS"].pop("pool", None)  # SQLite, of which the static files are made, has none.
