"""The life of one socket. A feature subclasses HubbubConsumer."""

from hubbub.consumers.consumer import HubbubConsumer

__all__ = ["HubbubConsumer"]
