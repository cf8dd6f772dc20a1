from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Provides `manage.py chaos`. The server does not need it."""

    name = "chaos"
