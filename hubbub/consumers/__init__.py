"""The life of one socket. A feature subclasses HubbubConsumer."""

from hubbub.consumers.consumer import HubbubConsumer
from hubbub.consumers.topic_consumer import TopicConsumer, live

__all__ = ["HubbubConsumer", "TopicConsumer", "live"]
