from django.apps import AppConfig


class PollsConfig(AppConfig):
    name = "tests.support.polls"
    label = "polls"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.support.polls import topics  # noqa: F401 - declares them
