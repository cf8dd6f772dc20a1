"""A release under a running site: SIGHUP applies or refuses it."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, until
from tests.support.conversation import talking
from tests.support.releases import Visitors, add_migration, change, copy_project

pytestmark = pytest.mark.cluster

PAGES = ["/", "/rooms/general/", "/admin/", "/monitor/"]
NEW_FIELD = 'models.CharField(max_length=20, default="", db_default="")'


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A site of one process that runs from a copy of the project; leave the copy as it was."""
    folder = tmp_path_factory.mktemp("changing")
    root = copy_project(folder / "project")
    with Cluster(folder / "site", processes=1, root=root, HUBBUB_FIRST_ADMIN="false") as site:
        yield site


def refusal(site: Cluster) -> str:
    """Send SIGHUP; assert that all processes stay, and return the refusal."""
    before = set(site.pids())
    site.up.send_signal(signal.SIGHUP)
    said = site.wait_for_line(r"^release +\| (.*)")[1]
    assert set(site.pids()) == before
    assert Visitors(site.url, "", []).load("/account/sign-in/")
    return said


def test_a_site_without_a_first_admin_shows_no_password(changing: Cluster) -> None:
    assert "sign in" not in changing.text
    assert changing.shell("from django.contrib.auth import get_user_model as m; print(m().objects.count())") == "0"


def test_a_release_whose_migration_fails_is_refused_in_one_line(changing: Cluster) -> None:
    code = "def fail(apps, editor):\n    raise OSError('no luck')"
    broken = add_migration(changing.root, "chat", "broken", "migrations.RunPython(fail)", code)
    assert refusal(changing) == (
        f"refused, all processes keep running: migrations failed at chat.{broken.stem}: no luck. "
        "Earlier migrations stay applied. Fix the error and run the release again."
    )
    broken.unlink()


def test_a_release_that_takes_a_column_away_is_refused(changing: Cluster) -> None:
    taking = add_migration(changing.root, "chat", "taking", 'migrations.RemoveField("message", "edited_at")')
    assert f"not additive: chat.{taking.stem}: RemoveField message: " in refusal(changing)
    taking.unlink()


def test_a_release_that_is_not_python_is_refused(changing: Cluster) -> None:
    path = changing.root / "chat" / "models.py"
    text = path.read_text()
    path.write_text(text + "\nthis is no Python\n")
    assert refusal(changing) == "refused, all processes keep running: SyntaxError: invalid syntax"
    path.write_text(text)


def test_a_release_whose_style_sheet_names_a_missing_file_is_refused(changing: Cluster) -> None:
    path = changing.root / "hubbub" / "static" / "hubbub" / "css" / "base.css"
    text = path.read_text()
    path.write_text(text + "\n.x { background: url(gone.png); }\n")
    assert "static files failed: " in (said := refusal(changing))
    assert "gone.png" in said
    path.write_text(text)


async def test_a_rolling_release_with_a_new_column_and_new_files_fails_no_request_and_loses_no_message(
    tmp_path: Path,
) -> None:
    root = copy_project(tmp_path / "project")
    with Cluster(tmp_path / "site", processes=2, root=root) as site:
        await check_rolling_release(site)
        await check_stop_during_release(site)


async def check_rolling_release(site: Cluster) -> None:
    cookie = site.make_user("root", is_staff="True", is_superuser="True")["cookie"]
    first_web, *old_webs = webs = sorted(site.sockets)
    async with talking(site, senders=first_web, readers=old_webs) as talk:
        with Visitors(site.url, cookie, PAGES) as visitors:
            await until(lambda: len(visitors.loaded) == len(PAGES))
            first = set(visitors.files)
            release_two(site.root)
            # Processes of the first release go on with the files of the second around them.
            loaded = visitors.loaded.total()
            await until(lambda: visitors.loaded.total() > loaded + len(PAGES))
            assert visitors.files == first
            site.up.send_signal(signal.SIGHUP)
            for name in (*webs, "publisher"):
                await asyncio.to_thread(site.wait_for_line, rf"^{name} .*restarted")
            await talk.say(20)
            page = await asyncio.to_thread(visitors.load, "/")
        assert visitors.failures == []
        assert "second-release" in page
        new = {name.split(".")[0] for name in visitors.files - first}
        assert {"/static/hubbub/css/base", "/static/project/css/second", "/static/chat/js/room"} <= new
        report = await talk.whole()
        assert report.recoveries  # Each socket was moved, and resumed.
        assert site.shell("from chat.models import Message; print(Message.objects.filter(mood='').exists())") == "True"


def release_two(root: Path) -> None:
    """Change the copy: a column of a table that is written to, files, and pages that name them."""
    add_migration(root, "chat", "mood", f'migrations.AddField("message", "mood", {NEW_FIELD})')
    body = '    body = models.TextField(_("body"), blank=True)\n'
    change(root / "chat" / "models.py", body, f"{body}    mood = {NEW_FIELD}\n")
    css = root / "project" / "static" / "project" / "css"
    (css / "second.css").write_text(".second-release { color: red; }\n")
    base = root / "hubbub" / "static" / "hubbub" / "css" / "base.css"
    base.write_text(base.read_text() + "\n.second { color: red; }\n")
    room = root / "chat" / "static" / "chat" / "js" / "room.js"
    room.write_text(f'{room.read_text()}\ndocument.documentElement.dataset.release = "second";\n')
    link = '<link rel="stylesheet" data-release="second-release" href="{% static \'project/css/second.css\' %}">'
    change(
        root / "hubbub" / "templates" / "hubbub" / "base.html", "  {% block head %}", f"  {link}\n  {{% block head %}}"
    )


async def check_stop_during_release(site: Cluster) -> None:
    """SIGTERM ends the site in order though a migration hangs."""
    mark = site.folder / "mark"
    code = f"def hang(apps, editor):\n    import time\n    open({str(mark)!r}, 'w').close()\n    time.sleep(600)"
    add_migration(site.root, "chat", "hanging", "migrations.RunPython(hang)", code)
    site.up.send_signal(signal.SIGHUP)
    await until(mark.exists)
    assert await asyncio.to_thread(site.stop) == 0
    assert site.pids() == {}
    assert site.leftovers() == []
    assert "refused" not in site.text


async def test_a_sighup_during_the_start_does_not_end_it(tmp_path: Path) -> None:
    site = Cluster(tmp_path, processes=1, is_new=True).start()
    try:
        await until((site.folder / "hubbub.sqlite3.release-lock").exists)
        site.up.send_signal(signal.SIGHUP)
        await asyncio.to_thread(site.wait_until_ready)
        assert "SIGHUP ignored during startup: send it again after Ready." in site.output
    finally:
        site.__exit__(None, None, None)


def test_two_first_starts_at_once_on_one_sqlite_file_both_come_up_and_one_shows_the_password(tmp_path: Path) -> None:
    check_two_first_starts(tmp_path, f"sqlite:///{tmp_path}/common.sqlite3")


def check_two_first_starts(folder: Path, database_url: str) -> None:
    """Two hosts: each has its own data folder and Redis, and both have one new database."""
    hosts = [Cluster(folder / name, processes=1, is_new=True, DATABASE_URL=database_url) for name in ("one", "other")]
    try:
        for host in hosts:
            host.start()
        for host in hosts:
            host.wait_until_ready()
        for host in hosts:
            host.wait_for_line("Ctrl-C stops it")
        shown = [line for host in hosts for line in host.output if "sign in" in line]
        assert len(shown) == 1, "\n".join(host.text for host in hosts)
        name, password = shown[0].split()[2], shown[0].split()[4]
        check = f"from django.contrib.auth import authenticate as a; print(a(username={name!r}, password={password!r}))"
        assert hosts[0].shell(check) == "admin"
        for host in hosts:
            assert "Traceback" not in host.text
            assert host.stop() == 0
    finally:
        for host in hosts:
            host.__exit__(None, None, None)
