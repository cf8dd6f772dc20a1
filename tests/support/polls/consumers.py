from hubbub import TopicConsumer
from tests.support.polls.topics import BoardTopic, PollTopic


class PollsConsumer(TopicConsumer):
    topics = [PollTopic, BoardTopic]
