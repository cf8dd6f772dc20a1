"""`manage.py renew_site`: give a site whose database is a copy a new id."""

from typing import Any

from django.core.management import BaseCommand

from hubbub import site


class Command(BaseCommand):
    help = (
        "Give this site a new id. It then shares no channels and keys in Redis with the site from which its database "
        "was copied. Stop the site first, and start it afterwards."
    )

    def handle(self, **options: Any) -> None:
        prefix = site.renew()
        if configured := site.configured_prefix():
            self.stderr.write(f'HUBBUB["PREFIX"]={configured!r} is set and replaces the new id.')
        self.stdout.write(f"From the next start, this site's channels and keys in Redis have the prefix {prefix}.")
