"""The robots of the demo as a program of `manage.py up`, which `python -m project.demo` runs."""

import asyncio
import logging
import os
import signal
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from chat.models import Room
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.supervisor.private_redis import run_dir
from project.accounts.models import User
from project.demo import filling, robots
from project.demo.people import ROBOTS
from project.demo.scenes import SCENES, SEED

TOKEN_NAME = "robot of the demo"  # noqa: S105 - a note for people
TOKEN_LIFE = timedelta(days=30)
SCOPES = ("chat.read", "chat.write")


class Command(BaseCommand):
    help = "Let the robots of the demo talk on the running site, until stopped."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("hubbub.client").setLevel(logging.WARNING)  # Not each restart of a server.
        host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
        tokens, seeds = make_tokens(), find_seeds(os.environ.get(SEED, str(filling.SEED)))
        connections.close_all()
        asyncio.run(_talk(f"ws://{host}/ws/chat/", tokens, seeds))


async def _talk(url: str, tokens: dict[str, str], seeds: dict[str, str]) -> None:
    connect = robots.connect_to(run_dir(settings.VAR_DIR))
    running, stopped = asyncio.create_task(robots.run(url, tokens, seeds, connect)), asyncio.Event()
    running.add_done_callback(lambda _: stopped.set())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    if running.done():
        running.result()  # Raises its error.
    running.cancel()
    await asyncio.wait([running])


def make_tokens() -> dict[str, str]:
    """A new token for each robot; those of an earlier start are deleted.

    Raises:
        CommandError: This database is not the demo's.
    """
    users = {user.username: user for user in User.objects.filter(username__in=ROBOTS, groups__name=filling.GROUP)}
    if len(users) != len(ROBOTS):
        raise CommandError("This database has no robots: `python -m project.demo` makes one that has.")
    AccessToken.objects.filter(user__in=users.values(), name=TOKEN_NAME).delete()
    until = timezone.now() + TOKEN_LIFE
    return {
        name: create_token(user=users[name], name=TOKEN_NAME, expires_at=until, scopes=SCOPES)[1] for name in ROBOTS
    }


def find_seeds(seed: str) -> dict[str, str]:
    """The seed of each scene, by room. A later start on the same database goes on with other conversations."""
    last = dict(Room.objects.values_list("slug", "last_seq"))
    return {scene.slug: f"{seed} {last.get(scene.slug, 0)}" for scene in SCENES}
