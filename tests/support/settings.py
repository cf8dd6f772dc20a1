"""The settings of tests: the project's, with an app for tests of topics."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS, TOKEN_SCOPES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.polls"]
TOKEN_SCOPES = {
    **TOKEN_SCOPES,
    "poll.read": "See polls.",
    "poll.write": "Vote.",
    "board.read": "Read boards.",
    "board.write": "Write on boards.",
}
