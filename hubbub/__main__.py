"""`python -m hubbub copy chat monitor`: write the apps into a project, which then owns them."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import hubbub

PACKAGE = Path(__file__).resolve().parent
APPS = ("chat", "monitor")

NEXT = {
    "chat": """chat: add "chat" to INSTALLED_APPS, path("", include("chat.urls")) to the URLs, and
  chat.routing.websocket_urlpatterns and chat.routing.services to the sockets and services of your ASGI application.
  Then: manage.py migrate""",
    "monitor": """monitor: install django-hubbub[monitor]; add "monitor" to INSTALLED_APPS,
  path("monitor/", include("monitor.urls")) to the URLs, and monitor.routing.websocket_urlpatterns to the sockets of
  your ASGI application. Run manage.py publish_metrics on each host.""",
}


class CannotCopy(Exception):
    """The text says why, in one line."""


def source_of(app: str) -> Path:
    """The folder of an app: in the installed package, or in a checkout."""
    for folder in (PACKAGE / "copies" / app, PACKAGE.parent / app):
        if (folder / "apps.py").is_file():
            return folder
    raise CannotCopy(f"{app} is not in this installation")


def copy(apps: Sequence[str], to: Path) -> list[Path]:
    """Copy apps into a folder, all or none.

    Args:
        apps: of APPS.
        to: the folder of the project, beside its manage.py.

    Returns:
        The new folders.

    Raises:
        CannotCopy: the folder does not exist, or has such a folder already.
    """
    if not to.is_dir():
        raise CannotCopy(f"{to} is not a folder")
    for app in apps:
        if (to / app).exists():
            raise CannotCopy(f"{to / app} exists; nothing was copied")
    sources = {app: source_of(app) for app in apps}
    for app, source in sources.items():
        shutil.copytree(source, to / app, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    return [to / app for app in apps]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m hubbub", description=hubbub.__doc__ and hubbub.__doc__.split("\n")[0]
    )
    parser.add_argument("--version", action="version", version=hubbub.__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    copying = commands.add_parser("copy", help="Copy apps into a project, which then owns them.")
    copying.add_argument("apps", nargs="+", choices=APPS, metavar="app", help=f"One or more of {', '.join(APPS)}.")
    copying.add_argument("--to", type=Path, default=Path(), help="The folder with manage.py (the current one).")
    given = parser.parse_args(arguments)
    try:
        copied = copy(list(dict.fromkeys(given.apps)), given.to)
    except CannotCopy as problem:
        sys.exit(f"python -m hubbub copy: {problem}")
    for folder in copied:
        print(f"Copied {folder}")  # noqa: T201 - the output of a command
    for app in given.apps:
        print(NEXT[app])  # noqa: T201


if __name__ == "__main__":
    main()
