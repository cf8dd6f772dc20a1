"""The first administrator, and where the processes of a site are started."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.db import connections

from hubbub import conf
from hubbub.supervisor import first_admin
from hubbub.supervisor.child import Console
from hubbub.supervisor.management.commands.up import release_child, site_folder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def keep_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command closes those of its thread, which here is the test's own."""
    monkeypatch.setattr(connections, "close_all", lambda: None)


def test_the_first_administrator_is_made_once_by_whichever_host_is_first() -> None:
    assert first_admin.is_needed()
    name, _, password, *_ = first_admin.create_admin(print).split()
    assert authenticate(username=name, password=password).is_superuser
    # The other host had looked before that.
    assert first_admin.create_admin(print) == ""
    assert get_user_model().objects.count() == 1
    assert not first_admin.is_needed()


def test_a_setting_switches_the_first_administrator_off(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"FIRST_ADMIN": False}
    assert not first_admin.is_needed()


def test_a_site_with_any_user_gets_no_administrator() -> None:
    get_user_model().objects.create_user(username="alice")
    assert not first_admin.is_needed()


def test_a_release_that_waits_for_another_has_the_time_to_say_so() -> None:
    """It waits for `release_seconds`, and needs some more to start and to end."""
    child = release_child(console=Console(), lock=0, migrate=True)
    assert child._seconds >= conf.settings().release_seconds + 10
    assert child._command[-2:] == ["release", "--additive"]


def test_processes_start_in_the_folder_that_a_link_leads_to_now(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("41", "42"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    link.symlink_to("41")
    settings.BASE_DIR = (tmp_path / "41").resolve()
    monkeypatch.delenv("PWD", raising=False)
    monkeypatch.setattr(sys, "argv", [os.fspath(link / "manage.py"), "up"])
    assert site_folder() == link
    monkeypatch.setattr(sys, "argv", ["manage.py", "up"])
    monkeypatch.setenv("PWD", os.fspath(link))
    assert site_folder() == link
    monkeypatch.setenv("PWD", os.fspath(tmp_path))
    assert site_folder() == tmp_path / "41"
