from django.apps import AppConfig


class TutorialConfig(AppConfig):
    name = "bench.peers.channels_site"
    label = "tutorial"
