"""The settings of a site with a sign-in of its own."""

from tests.support.settings import *  # noqa: F403

HUBBUB_AUTHENTICATE = "tests.support.sign_ins.SiteSignIn"
