"""`make demo`: sets the environment of all processes of the demo, and runs its command."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "project.demo.settings"
# Of another site: its names in Redis, its addresses, its mails.
NOT_INHERITED = {"HUBBUB_PREFIX", "HUBBUB_TLS", "HUBBUB_EMAIL_URL", "HUBBUB_SITE_URL", "HUBBUB_PROCESS"}
NOT_INHERITED |= {"HUBBUB_FIRST_ADMIN", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "CSRF_TRUSTED_ORIGINS"}


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demo: as given, but with a folder and a database of its own.

    Raises:
        SystemExit: `DATABASE_URL` names another database.
    """
    folder = Path(given.get("HUBBUB_VAR", ROOT / "var")).resolve() / "demo"
    database = f"sqlite:///{folder / 'hubbub.sqlite3'}"
    if (url := given.get("DATABASE_URL")) and url != database:
        # The URL may have a password, so it is not shown.
        raise SystemExit(f"DATABASE_URL names another database: unset it. The demo uses {database} only.")
    kept = {name: value for name, value in given.items() if name not in NOT_INHERITED}
    return kept | {"HUBBUB_VAR": str(folder), "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": SETTINGS}


def main() -> None:
    os.environ.update(values := environment(os.environ))
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    os.umask(0o077)  # As manage.py: the data is for this user only.
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Until the command can stop in order.
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["manage.py", "demo", *sys.argv[1:]])
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
