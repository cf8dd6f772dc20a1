"""The dashboard's socket."""

from hubbub import TopicConsumer
from monitor.topics import MetricsTopic


class MonitorConsumer(TopicConsumer):
    """`/ws/monitor/`"""

    permission = MetricsTopic.permission
    topics = [MetricsTopic]
