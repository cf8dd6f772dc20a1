#!/usr/bin/env python3
"""Django's command line for this project."""

import os
import signal
import sys

# These write source files, which other users may read.
WRITE_SOURCE = {"makemigrations", "squashmigrations", "optimizemigration", "startapp", "startproject", "makemessages"}


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] not in WRITE_SOURCE:
        # The database, the secret key and all else below HUBBUB_VAR are for this user only.
        os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    if sys.argv[1:2] == ["up"]:
        # Until it can stop in order, Ctrl-C ends it at once: raised during imports, it could be shown or swallowed.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make run`, or use .venv/bin/python.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))


if __name__ == "__main__":
    main()
