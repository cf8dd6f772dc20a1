"""`manage.py release`: migrations and static files of this code, also under processes of the release before."""

import os
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from hubbub.supervisor.release import ReleaseFailed, pending, pending_complaints, release


class Command(BaseCommand):
    help = "Applies migrations, one host at a time, and puts static files beside those of the release before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-migrate", action="store_true", help="Leave the database as it is.")
        parser.add_argument(
            "--additive",
            action="store_true",
            help="Refuse migrations that running processes of the release before could not live with.",
        )
        parser.add_argument("--check", action="store_true", help="Say whether it would be refused; change nothing.")

    def handle(self, *, no_migrate: bool, additive: bool, check: bool, **options: Any) -> None:
        os.umask(0o077)
        if check:
            self._check()
            return
        try:
            release(migrate=not no_migrate, must_be_additive=additive, is_gentle=True, say=self._say)
        except ReleaseFailed as failed:
            raise CommandError(str(failed)) from failed
        except KeyboardInterrupt:
            raise CommandError("stopped before it was done: run it again") from None

    def _check(self) -> None:
        try:
            keys, found = pending(), pending_complaints()
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {str(error).strip()}") from error
        for key in keys:
            self.stdout.write(f"{'.'.join(key)} is to be applied")
        if found:
            raise CommandError("\n".join(["Not for running processes:", *found]))
        self.stdout.write("It can be applied while processes of the release before run.")

    def _say(self, text: str) -> None:
        self.stdout.write(f"release: {text}")
        self.stdout.flush()
