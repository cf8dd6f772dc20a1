"""daphne's `runserver`, with a private Redis unless REDIS_URL is set."""

import contextlib
import os
from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand
from django.conf import settings
from django.core.management import CommandError, call_command

from hubbub import conf
from hubbub.checks import application_refusal, check_address, start_refusal
from hubbub.process.ports import InUse, lock_folder
from hubbub.supervisor import private_redis


class Command(DaphneCommand):  # type: ignore[misc]
    def handle(self, *args: Any, **options: Any) -> None:
        # The autoreloader runs this command again in a child after each change of code; Redis keeps running.
        if os.environ.get("RUN_MAIN") == "true":
            super().handle(*args, **options)
            return
        with contextlib.ExitStack() as stack:
            if line := start_refusal() or application_refusal():
                raise CommandError(line)
            if not os.environ.get("REDIS_URL"):
                start_redis(stack)
            if not settings.DEBUG:
                call_command("collectstatic", verbosity=0, interactive=False)
            super().handle(*args, **options)

    def run(self, **options: Any) -> None:
        if os.environ.get("RUN_MAIN") != "true":
            for warning in check_address(self.addr):
                self.stderr.write(str(warning), self.style.WARNING)
        super().run(**options)


def start_redis(stack: contextlib.ExitStack) -> None:
    """Run the private Redis until `stack` ends, unless another run on the same data has started it."""
    var_dir = conf.settings().var_dir
    if var_dir is None:
        raise CommandError('HUBBUB["VAR_DIR"] is not set: see manage.py check. Or set REDIS_URL in the environment.')
    try:
        path = private_redis.make_run_dir(var_dir) / "redis.sock"
        lock = lock_folder(var_dir)
    except InUse:
        return  # `up` or another `runserver` has started it.
    except OSError as error:
        raise CommandError(str(error)) from None
    stack.callback(os.close, lock)
    try:
        stack.enter_context(private_redis.running(path))
    except RuntimeError as error:
        raise CommandError(str(error)) from None
