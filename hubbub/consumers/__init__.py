"""One socket's life. A feature's consumer subclasses HubbubConsumer."""

from hubbub.consumers.consumer import HubbubConsumer

__all__ = ["HubbubConsumer"]
