"""Chat's socket."""

from chat.topics import RoomTopic
from hubbub import TopicConsumer


class ChatConsumer(TopicConsumer):
    """`/ws/chat/`"""

    topics = [RoomTopic]
