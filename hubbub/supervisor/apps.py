from django.apps import AppConfig


class SupervisorConfig(AppConfig):
    """`manage.py up` and `manage.py release`. Nothing that serves needs it."""

    name = "hubbub.supervisor"
    label = "hubbub_supervisor"
    verbose_name = "Hubbub's supervisor"
