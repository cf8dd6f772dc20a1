"""`manage.py renew_epochs`: to be run after the database was restored from a backup."""

from typing import Any

from django.core.management.base import BaseCommand

from chat import services


class Command(BaseCommand):
    help = (
        "Run this after the database was restored from a backup: clients then start from the latest page of a room, "
        "instead of from positions that mean other changes now."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = services.renew_epochs()
        self.stdout.write(f"{count} {'room begins' if count == 1 else 'rooms begin'} a new epoch.")
