"""Real-time features for Django: topics, on sockets of several processes. docs/topics.md shows how to declare one.

The public names are loaded when they are used first: modules with models cannot be imported before Django is set up.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubbub.consumers.topic_consumer import TopicConsumer, live
    from hubbub.protocol import ErrorCode, Refused
    from hubbub.topics.batch_calls import Call
    from hubbub.topics.commands import BY_METHOD, PUBLIC, SIGNED_IN, VIEW, command
    from hubbub.topics.reading import Versioned
    from hubbub.topics.topic import Topic, changed_many
    from hubbub.topics.watch import Watch

__all__ = [
    "BY_METHOD",
    "PUBLIC",
    "SIGNED_IN",
    "VIEW",
    "Call",
    "ErrorCode",
    "Refused",
    "Topic",
    "TopicConsumer",
    "Versioned",
    "Watch",
    "__version__",
    "changed_many",
    "command",
    "live",
]

__version__ = "0.1.0"

_MODULES = {
    "BY_METHOD": "hubbub.topics.commands",
    "PUBLIC": "hubbub.topics.commands",
    "SIGNED_IN": "hubbub.topics.commands",
    "VIEW": "hubbub.topics.commands",
    "Call": "hubbub.topics.batch_calls",
    "ErrorCode": "hubbub.protocol",
    "Refused": "hubbub.protocol",
    "Topic": "hubbub.topics.topic",
    "TopicConsumer": "hubbub.consumers.topic_consumer",
    "Versioned": "hubbub.topics.reading",
    "Watch": "hubbub.topics.watch",
    "changed_many": "hubbub.topics.topic",
    "command": "hubbub.topics.commands",
    "live": "hubbub.consumers.topic_consumer",
}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value
