"""Our settings below a path, as behind a proxy that serves other sites on the same host."""

from project.settings import *  # noqa: F403

FORCE_SCRIPT_NAME = "/team"
