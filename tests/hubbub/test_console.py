"""The console of `hubbub.server` in a site with Django's own LOGGING: each line once, by programs of their own."""

from pathlib import Path

import pytest

from tests.test_settings_of_others import ENGINE, WHOLE, run

pytestmark = pytest.mark.slow

CODE = """
import logging
import django
django.setup()
from hubbub.server.console import log_to_console
log_to_console({verbosity}, "%(levelname)s %(message)s")
logging.basicConfig(format="daphne's")  # Later, and of no effect.
for name in ("hubbub.server", "django.request", "django.server", "others"):
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger(name).log(level, "%s-%d", name, level)
"""


@pytest.mark.parametrize("is_debug", [True, False])
@pytest.mark.parametrize("verbosity", [0, 1])
def test_each_line_is_shown_once(tmp_path: Path, is_debug: bool, verbosity: int) -> None:
    ran = run(tmp_path, WHOLE | ENGINE | {"DEBUG": str(is_debug)}, CODE.format(verbosity=verbosity))
    assert ran.returncode == 0, ran.stderr
    levels = [20, 30, 40] if verbosity else [30, 40]
    for name in ("hubbub.server", "others", "django.request"):
        for level in levels:
            assert ran.stderr.count(f"{name}-{level}") == 1, ran.stderr
    assert ran.stderr.count("django.server-40") == 1
    assert "WARNING hubbub.server-30" in ran.stderr


def test_a_root_handler_of_the_site_stays_alone(tmp_path: Path) -> None:
    logging = "{'version': 1, 'handlers': {'c': {'class': 'logging.StreamHandler'}}, 'root': {'handlers': ['c']}}"
    ran = run(tmp_path, WHOLE | ENGINE | {"LOGGING": logging}, CODE.format(verbosity=1))
    assert ran.stderr.splitlines().count("hubbub.server-30") == 1, ran.stderr
    assert "WARNING hubbub" not in ran.stderr
