"""The project's settings; the topics are on an endpoint of their own."""

from project.settings import *  # noqa: F403
