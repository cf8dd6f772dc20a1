"""Topics: a feature declares its state, its events and its commands once. See `Topic`."""

from hubbub.topics.commands import PUBLIC, SIGNED_IN, VIEW, BadDeclaration, command
from hubbub.topics.reading import Versioned
from hubbub.topics.topic import Topic, changed_many

__all__ = ["PUBLIC", "SIGNED_IN", "VIEW", "BadDeclaration", "Topic", "Versioned", "changed_many", "command"]
