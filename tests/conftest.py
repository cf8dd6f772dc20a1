"""The environment of every test: a private Redis, a temporary folder, none of the developer's settings."""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hubbub.supervisor import private_redis

# Modules and tests stay: collections during their imports would take 40 % of the collection of tests.
gc.disable()

# Done at import: pytest-django reads the settings as soon as it finds them.
_resources = ExitStack()
_folder = Path(tempfile.mkdtemp(prefix="hubbub-tests-"))
_resources.callback(shutil.rmtree, _folder, ignore_errors=True)
_resources.enter_context(private_redis.running(_folder / "redis.sock"))

SETTINGS = {
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "DEBUG",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "REDIS_URL",
}
for _name in [one for one in os.environ if one in SETTINGS or one.startswith("HUBBUB_")]:
    del os.environ[_name]
os.environ["HUBBUB_VAR"] = str(_folder)
os.environ["HUBBUB_PREFIX"] = "hubbub"  # Without it each test that publishes would need the database.
os.environ["REDIS_URL"] = f"unix://{_folder / 'redis.sock'}"
if "TEST_DATABASE_URL" in os.environ:  # Set by tests/database, which runs a part of the tests on PostgreSQL.
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.settings"

# The helpers show compared values in failed asserts, too. First: the settings are among them.
pytest.register_assert_rewrite("tests.support")

import django  # noqa: E402
from django.conf import settings as site_settings  # noqa: E402

django.setup()
# The programs that tests start are the project's own.
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"

# The site's hashers are slow on purpose. The fixture `site_hashers` brings them back; servers under test use them.
SITE_HASHERS = site_settings.PASSWORD_HASHERS
site_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

from tests.support import flush, servers  # noqa: E402
from tests.support.cluster import Cluster  # noqa: E402

flush.make_cheap()

# Over a minute each.
LONGEST_FILES = {
    Path(__file__).parent / name
    for name in (
        "database/test_on_postgresql.py",
        "faults/test_database.py",
        "browser/test_documents.py",
        "faults/test_frozen.py",
        "faults/test_drain.py",
        "faults/test_chaos.py",
    )
}
MAY_START_PROGRAMS = ("slow", "cluster", "browser", "soak")
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
_is_fast = False  # Whether the test that runs now has none of these marks.


def _refuse_programs(event: str, args: tuple[Any, ...]) -> None:
    if _is_fast and event in STARTS:
        raise RuntimeError(f"a test that starts a program needs the mark slow, see CONTRIBUTING.md: {event} {args[:2]}")


sys.addaudithook(_refuse_programs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    global _is_fast
    _is_fast = not any(item.get_closest_marker(mark) for mark in MAY_START_PROGRAMS)
    try:
        return (yield)
    finally:
        _is_fast = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each test process has its own environment and must not inherit this one's."""
    for name in ("DJANGO_SETTINGS_MODULE", "HUBBUB_VAR", "REDIS_URL"):
        del os.environ[name]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files of long tests first, so that parallel test processes end at about the same time."""
    ranks = {"cluster": 1, "browser": 1, "slow": 2}
    files: dict[Path, int] = {}
    for item in items:
        rank = min((ranks[mark.name] for mark in item.iter_markers() if mark.name in ranks), default=3)
        if item.path in LONGEST_FILES:
            rank = 0
        files[item.path] = min(rank, files.get(item.path, rank))
    items.sort(key=lambda item: files[item.path])


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    servers.resources.close()
    _resources.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Put SQLite's test database into a file: threads would not share one in memory."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = os.fspath(_folder / "test.sqlite3")


@pytest.fixture(autouse=True)
def new_line_limits() -> None:
    """Each test has the security lines of a whole second: without programs and waits, 20 are soon used up."""
    from hubbub.process import security_log

    security_log._lines.clear()


@pytest.fixture(autouse=True)
def new_quotas() -> None:
    """Each test has quotas by its own settings: they are made once in a process, by the settings of the first test."""
    from hubbub.limits.quotas import quotas

    quotas.cache_clear()


@pytest.fixture
def site_hashers(settings: Any) -> None:
    """The password hashers of the site, for a test of them."""
    settings.PASSWORD_HASHERS = SITE_HASHERS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last lines of each cluster of a test that fails: its processes say what went wrong."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Cluster):
                report.sections.append((f"log of {name}", "\n".join(value.output[-60:])))
    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The whole site by `manage.py up`, two processes, shared by all tests. Leave it unchanged."""
    with Cluster(tmp_path_factory.mktemp("cluster"), processes=2) as shared:
        yield shared


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the tests of one file: they end processes and wait for the restart."""
    with Cluster(tmp_path_factory.mktemp("mended"), processes=2) as one:
        yield one


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A new cluster that makes its database, files and administrator itself."""
    with Cluster(tmp_path, is_new=True) as new:
        yield new


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for one test, which may break it."""
    with Cluster(tmp_path, processes=2) as own:
        yield own
