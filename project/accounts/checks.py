"""System checks of the accounts. docs/settings.md lists them."""

from itertools import chain, islice
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError

from project.accounts import conf
from project.accounts.models import User
from project.accounts.name_keys import look_alikes, with_other_keys

MAX_NAMES_SHOWN = 20
MAX_KEYS_COMPARED = 100_000  # Of the newest users: takes a second in each `migrate`.


@register("accounts")
def check_settings(**_: Any) -> list[CheckMessage]:
    hint = "docs/settings.md lists every key with its default and its bounds."
    return [Error(line, hint=hint, id="accounts.E001") for line in conf.settings.problems()]


@register(Tags.database)
def check_name_keys(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Run by `manage.py check --database default` and by each migration."""
    if not databases:
        return []
    try:
        problems = [
            f"{name} looks like {other}" if other else name
            for name, other in islice(look_alikes(User), MAX_NAMES_SHOWN + 1)
        ]
        renamed = (f"{name} has the key of another name" for name in with_other_keys(User, MAX_KEYS_COMPARED))
        problems = list(islice(chain(problems, renamed), MAX_NAMES_SHOWN + 1))
    except DatabaseError:
        return []  # Not migrated yet.
    if not problems:
        return []
    names = ", ".join(problems[:MAX_NAMES_SHOWN]) + (", and others" if len(problems) > MAX_NAMES_SHOWN else "")
    return [
        Warning(
            f"Users without a name key: {names}.",
            hint="Run `manage.py name_keys` to fill the free keys. Rename look-alikes in the admin.",
            id="accounts.W001",
        )
    ]
