"""The life of one socket. A feature subclasses Consumer."""

from hubbub.consumers.consumer import Consumer
from hubbub.consumers.topic_consumer import TopicConsumer, live

__all__ = ["Consumer", "TopicConsumer", "live"]
