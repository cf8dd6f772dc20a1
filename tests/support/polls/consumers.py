from hubbub import TopicConsumer
from tests.support.polls.diaries import DiaryTopic
from tests.support.polls.topics import BoardTopic, PollTopic, SignTopic, ThermometerTopic
from tests.support.polls.trials import DrawerTopic, InboxTopic, ShelfTopic


class PollsConsumer(TopicConsumer):
    topics = [PollTopic, BoardTopic, ThermometerTopic, SignTopic]


class TrialConsumer(TopicConsumer):
    topics = [PollTopic, BoardTopic, ShelfTopic, DrawerTopic, InboxTopic, DiaryTopic]
