"""`manage.py renew_site`: give this site, whose database is a copy of another's, an id of its own."""

from typing import Any

from django.core.management import BaseCommand

from hubbub import site


class Command(BaseCommand):
    help = (
        "Gives this site a new id, so that its channels and keys in Redis are no longer those of the site that its "
        "database was copied from. Stop the site before, and start it afterwards."
    )

    def handle(self, **options: Any) -> None:
        prefix = site.renew()
        if configured := site.configured_prefix():
            self.stderr.write(f"HUBBUB_PREFIX={configured} is set, and is used instead of the new id.")
        self.stdout.write(
            f"The names of this site's channels and keys in Redis begin with {prefix} from its next start."
        )
