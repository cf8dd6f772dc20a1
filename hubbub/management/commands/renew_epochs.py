"""`manage.py renew_epochs`: run it after restoring the database from a backup."""

from typing import Any

from django.core.management.base import BaseCommand

from hubbub.signals import epochs_renewed
from hubbub.topics.topic import topics


class Command(BaseCommand):
    help = (
        "Run this after restoring the database from a backup. Clients then read the state of each topic again: "
        "the positions that they know no longer match the database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        declared = [*topics().values()]
        for topic in declared:
            topic.renew_epoch()
        lines = [f"New epoch for topics: {', '.join(sorted(topic.name for topic in declared)) or 'none'}."]
        lines += [str(line) for _, line in epochs_renewed.send(type(self))]
        self.stdout.write("\n".join(lines))
