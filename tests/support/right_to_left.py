"""The settings of a site with one more language, which is written from right to left."""

from project.settings import *  # noqa: F403
from project.settings import LANGUAGES

LANGUAGES = [*LANGUAGES, ("ar", "العربية")]
