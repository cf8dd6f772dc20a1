from hubbub import TopicConsumer
from tests.support.polls.topics import BoardTopic, PollTopic, ThermometerTopic


class PollsConsumer(TopicConsumer):
    topics = [PollTopic, BoardTopic, ThermometerTopic]
