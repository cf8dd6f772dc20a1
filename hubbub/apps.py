from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class HubbubConfig(AppConfig):
    name = "hubbub"

    def import_models(self) -> None:
        from hubbub.checks import missing_apps

        # Without them no model can be imported, and no check is run: the others that are missing are lines of `check`.
        if needed := [name for name in missing_apps() if name != "django.contrib.sessions"]:
            raise ImproperlyConfigured(f"hubbub needs {' and '.join(map(repr, needed))} in INSTALLED_APPS.")
        super().import_models()

    def ready(self) -> None:
        from hubbub import checks  # Registers them.

        if not checks.missing_apps():  # Else nothing can be imported that says so.
            from hubbub import signals

            signals.connect()
