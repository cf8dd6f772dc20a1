"""`manage.py release`: apply the migrations of this code, and install its static files."""

import os
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from hubbub.supervisor.release import ReleaseFailed, pending_migrations, pending_problems, release


class Command(BaseCommand):
    help = "Apply migrations, one host at a time, and install static files beside those of the previous release."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-migrate", action="store_true", help="Do not apply migrations.")
        parser.add_argument(
            "--additive",
            action="store_true",
            help="Refuse migrations that break running processes of the previous release.",
        )
        parser.add_argument("--check", action="store_true", help="Report unsafe migrations; change nothing.")

    def handle(self, *, no_migrate: bool, additive: bool, check: bool, **options: Any) -> None:
        os.umask(0o077)
        if check:
            self._check()
            return
        try:
            release(migrate=not no_migrate, must_be_additive=additive, low_priority=True, report=self._report)
        except ReleaseFailed as failed:
            raise CommandError(str(failed)) from failed
        except KeyboardInterrupt:
            raise CommandError("interrupted: run it again") from None

    def _check(self) -> None:
        try:
            keys, problems = pending_migrations(), pending_problems()
        except DatabaseError as error:
            raise CommandError(f"Database unavailable: {str(error).strip()}") from error
        for key in keys:
            self.stdout.write(f"pending: {'.'.join(key)}")
        if problems:
            raise CommandError("\n".join(["Unsafe while processes of the previous release run:", *problems]))
        self.stdout.write("Safe while processes of the previous release run.")

    def _report(self, text: str) -> None:
        self.stdout.write(f"release: {text}")
        self.stdout.flush()
