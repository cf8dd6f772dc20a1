"""The site with every logger at its most talkative, and a bug where a good session or token has just been read."""

import logging
from typing import Any

from project.asgi import application  # Sets Django up: what follows imports models.  # isort: skip

from hubbub.auth import identity

__all__ = ["application"]

logging.getLogger().setLevel(logging.DEBUG)
for name in ("hubbub", "chat", "monitor"):
    logging.getLogger(name).setLevel(logging.DEBUG)


def _fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("planted")


identity._identity = _fail
