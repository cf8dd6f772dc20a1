"""The settings of a site with a sign-in of its own."""

from tests.support.settings import *  # noqa: F403

HUBBUB = HUBBUB | {"AUTHENTICATE": "tests.support.sign_ins.SiteSignIn"}  # noqa: F405
