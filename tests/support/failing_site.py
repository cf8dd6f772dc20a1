"""The site with all loggers at DEBUG, and an exception right after a session or token is read."""

import logging
from typing import Any

from project.asgi import application  # Sets Django up: later imports need models.  # isort: skip

from hubbub.auth import identity

__all__ = ["application"]

logging.getLogger().setLevel(logging.DEBUG)
for name in ("hubbub", "chat", "monitor"):
    logging.getLogger(name).setLevel(logging.DEBUG)


def _fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("planted")


identity._identity = _fail
