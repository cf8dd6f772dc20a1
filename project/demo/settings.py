"""The project's settings, with the commands of the demo and its robots. `python -m project.demo` uses them."""

from project.settings import *  # noqa: F403
from project.settings import HUBBUB, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "project.demo"]
HUBBUB = HUBBUB | {"PROGRAMS": {**HUBBUB["PROGRAMS"], "robots": ["robots"]}, "FIRST_ADMIN": False}
# Browsers share cookies between ports: a site by `make run` keeps its own.
SESSION_COOKIE_NAME = "demo_sessionid"
CSRF_COOKIE_NAME = "demo_csrftoken"
