from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """`manage.py chaos`. Nothing that serves needs it."""

    name = "chaos"
