from django.apps import AppConfig


class SupervisorConfig(AppConfig):
    """`manage.py up` and `manage.py release`. The serving processes do not need this app."""

    name = "hubbub.supervisor"
    label = "hubbub_supervisor"
    verbose_name = "Hubbub supervisor"
