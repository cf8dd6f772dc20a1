"""`python -m project.demo`: run the site with people, rooms and robots, in a database of its own."""

import ipaddress
import os
import secrets
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db import connections
from django.utils import timezone

from hubbub.supervisor.management.commands import up
from project.demo import filling
from project.demo.people import SIGN_INS
from project.demo.scenes import SEED

PASSWORD = "demo"  # noqa: S105 - known to all: see `password_for`


class Command(up.Command):
    help = "Run a site of made-up people and rooms, where robots talk, in a database of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--seed", type=int, default=filling.SEED, help="Another seed gives other conversations.")

    def handle(self, *, processes: int, host: str, port: int, no_migrate: bool, **options: Any) -> None:
        self._seed, self._password = options["seed"], password_for(host)
        os.environ[SEED] = str(self._seed)  # For the robots, which `up` starts.
        super().handle(processes=processes, host=host, port=port, no_migrate=no_migrate, **options)

    def _prepare(self, processes: int, *, migrate: bool) -> None:
        super()._prepare(processes, migrate=migrate)
        try:
            if filling.prepare(timezone.now(), self._seed):
                self.stdout.write("Filled the database of the demo.")
            filling.set_passwords(self._password)
        except filling.NotOurs as refusal:
            raise CommandError(f"{up.database_name()}: {refusal}. The demo leaves it as it is.") from None
        finally:
            connections.close_all()

    def _announce(self, console: Any, stages: Any, binary: Any, host: str, port: int) -> None:
        super()._announce(console, stages, binary, host, port)
        lines = [f"Sign in at {up.address(host, port)} with the password {self._password} as"]
        lines += [f"  {name:<8} {reason}" for name, reason in SIGN_INS.items()]
        console.print("\n".join(lines))


def password_for(host: str) -> str:
    """The password of all people: a known one only where nobody else can reach the site."""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_local = False
    return PASSWORD if is_local else secrets.token_urlsafe(9)
