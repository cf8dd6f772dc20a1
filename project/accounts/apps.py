from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "project.accounts"
    label = "accounts"

    def ready(self) -> None:
        from project.accounts import browsers, checks  # noqa: F401 - registers the checks

        browsers.connect()
