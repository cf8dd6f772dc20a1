"""`manage.py name_keys`: fills the keys by which look-alike names are found, and lists the names that stay without."""

from typing import Any

from django.core.management.base import BaseCommand

from project.accounts.models import User
from project.accounts.name_keys import fill_name_keys, look_alikes


class Command(BaseCommand):
    help = (
        "Fill the name keys of users, after a release or a bulk update. Of look-alike names the oldest account gets "
        "the key. The others are listed: rename them in the admin. This command renames no user."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        missing = fill_name_keys(User)
        for name, other in look_alikes(User):
            self.stdout.write(f"{name} looks like {other}" if other else name)
        self.stdout.write(f"{missing} names have no key." if missing else "Every name has a key.")
