from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "project.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from project.accounts import browsers, checks  # noqa: F401 - registers the checks

        browsers.connect()
