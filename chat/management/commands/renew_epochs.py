"""`manage.py renew_epochs`: run it after restoring the database from a backup."""

from typing import Any

from django.core.management.base import BaseCommand

from chat import services


class Command(BaseCommand):
    help = (
        "Run this after restoring the database from a backup. Clients then reload the latest page of each room: "
        "the positions that they know no longer match the database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = services.renew_epochs()
        self.stdout.write(f"New epoch for {count} {'room' if count == 1 else 'rooms'}.")
