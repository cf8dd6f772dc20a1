from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from chat import checks, signals  # noqa: F401 - registers the checks

        signals.connect()
