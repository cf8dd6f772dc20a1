"""`manage.py token create|list|revoke`: access tokens from the command line."""

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hubbub import users
from hubbub.auth.tokens import TOKEN_PREFIX, create_token, known_scopes, revoke_token
from hubbub.models import AccessToken
from hubbub.process import primary_reads
from hubbub.process.times import utc

MAX_DAYS = 3650
MAX_DIGITS = 18  # Of a token's number: the integers of every database hold them.


class Command(BaseCommand):
    help = "Create, list and revoke access tokens, with which programs sign in without a browser session."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        create: ArgumentParser = verbs.add_parser("create", help="Create a token and print it. It is shown only once.")
        create.add_argument("username", help="The user of the token: the name or address used to sign in.")
        create.add_argument("--days", type=int, default=30, help="Days until it expires. Default: 30.")
        create.add_argument(
            "--scope",
            action="append",
            choices=sorted(known_scopes()),
            help="A right of the token; repeat the option for several. Default: all scopes.",
        )
        create.add_argument("--name", default="from the command line", help="A note on its purpose.")
        tokens: ArgumentParser = verbs.add_parser("list", help="List all tokens, or those of one user.")
        tokens.add_argument("username", nargs="?", help="List only tokens of this user.")
        revoke: ArgumentParser = verbs.add_parser("revoke", help="Revoke a token; it becomes invalid at once.")
        revoke.add_argument("token", metavar="ID", help="The token's number, or hub_<number>.")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        with primary_reads.reading():
            match verb:
                case "create":
                    self._create(options["username"], options["days"], options["name"], options["scope"])
                case "list":
                    self._list(options["username"])
                case "revoke":
                    self._revoke(options["token"])

    def _create(self, username: str, days: int, name: str, scopes: list[str] | None) -> None:
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}, not {days}.")
        max_length = AccessToken._meta.get_field("name").max_length or sys.maxsize
        if not 1 <= len(name.strip()) <= max_length:
            raise CommandError(f"--name must have from 1 to {max_length} characters.")
        user = _user(username)
        if not users.is_active(user):
            raise CommandError(f"{username} is not active: the token would not be valid.")
        expires_at = timezone.now() + timedelta(days=days)
        token, text = create_token(
            user=user, name=name.strip(), expires_at=expires_at, scopes=set(scopes) if scopes else None
        )
        # Only the token on stdout, so that it can be piped.
        self.stdout.write(text)
        self.stderr.write(
            f"Token {token} of {username} is valid until {_when(expires_at)}, with {', '.join(token.scopes.split())}. "
            "Save it now: it is shown only once.",
            self.style.SUCCESS,
        )

    def _list(self, username: str | None) -> None:
        tokens = AccessToken.objects.select_related("user").order_by("pk")
        if username is not None:
            tokens = tokens.filter(user=_user(username))
        rows = [
            (
                f"{TOKEN_PREFIX}_{token.pk}",
                users.name_of(token.user),
                token.state,
                token.scopes.replace(" ", ",") or "-",
                _when(token.expires_at),
                _when(token.last_used_at),
                token.name,
            )
            for token in tokens
        ]
        if not rows:
            self.stderr.write("There are no tokens.", self.style.NOTICE)
            return
        rows.insert(0, ("ID", "USER", "STATE", "SCOPES", "EXPIRES", "LAST USED", "NAME"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _revoke(self, text: str) -> None:
        number = text.removeprefix(f"{TOKEN_PREFIX}_")
        if not (number.isascii() and number.isdigit()) or len(number) > MAX_DIGITS:
            raise CommandError("Not a token ID: give its number or hub_<number>, as in `manage.py token list`.")
        token = AccessToken.objects.select_related("user").filter(pk=int(number)).first()
        if token is None:
            raise CommandError(f"There is no token {TOKEN_PREFIX}_{number}.")
        if token.revoked_at is not None:
            self.stderr.write(f"{token} of {token.user} is already revoked.", self.style.NOTICE)
            return
        revoke_token(token)
        self.stderr.write(f"{token} of {token.user} is revoked.", self.style.SUCCESS)


def _user(username: str) -> Any:
    try:
        return users.find_by_name(username)
    except ObjectDoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else utc(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
