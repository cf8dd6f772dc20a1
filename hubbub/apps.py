from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from hubbub import conf
from hubbub.process import host


class HubbubConfig(AppConfig):
    name = "hubbub"

    def import_models(self) -> None:
        from hubbub.checks import missing_apps

        # Without these apps no model can be imported and no check can run; `check` reports the others.
        if missing := [name for name in missing_apps() if name != "django.contrib.sessions"]:
            raise ImproperlyConfigured(f"hubbub needs {' and '.join(map(repr, missing))} in INSTALLED_APPS.")
        host.store_in(conf.settings.usable().var_dir)  # Wrong settings are reported by `check` and by servers.
        super().import_models()

    def ready(self) -> None:
        from hubbub import checks  # Registers the checks.

        if not checks.missing_apps():  # Else importing the models would fail before the checks report it.
            from hubbub import signals
            from hubbub.topics import checks as topic_checks  # noqa: F401 - registers those of topics
            from hubbub.topics import follows

            signals.connect()
            autodiscover_modules("topics")  # Those that the apps declare.
            follows.connect()
