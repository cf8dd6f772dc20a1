"""Chat's socket."""

from chat.topics import LobbyTopic, PersonTopic, RoomsTopic, RoomTopic
from hubbub import TopicConsumer


class ChatConsumer(TopicConsumer):
    """`/ws/chat/`"""

    topics = [RoomTopic, RoomsTopic, PersonTopic, LobbyTopic]
