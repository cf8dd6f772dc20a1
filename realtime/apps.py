from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from realtime import checks  # Registers them.

        if not checks.missing_apps():  # Else nothing can be imported that says so.
            from realtime import signals

            signals.connect()
