"""Hosts are identified by more than their names."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from hubbub.process import host
from hubbub.process.host import Host, host_id, this_host
from hubbub.process.this_process import PROCESS


def test_an_id_is_the_same_at_each_start(tmp_path: Path) -> None:
    assert host_id(tmp_path) == host_id(tmp_path)
    assert (tmp_path / "host_id").stat().st_mode & 0o777 == 0o600


def test_two_sites_on_one_machine_with_one_name_are_two_hosts(tmp_path: Path) -> None:
    assert host_id(tmp_path / "one") != host_id(tmp_path / "two")


def test_a_copy_of_the_folder_is_another_host(tmp_path: Path) -> None:
    first = host_id(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert host_id(tmp_path / "two") != first


def test_a_copy_on_another_machine_is_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = host_id(tmp_path)
    (tmp_path / "machine-id").write_text("another\n")
    monkeypatch.setattr(host, "MACHINE_ID", tmp_path / "machine-id")
    assert host_id(tmp_path) != first


def test_without_writable_storage_there_is_an_id(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file"):
        assert len(host_id(folder)) == 12
        assert host_id(folder) == host_id(folder)


def test_a_name_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    this_host.cache_clear()
    monkeypatch.setenv("HUBBUB_HOST_NAME", "blue")
    try:
        named = this_host()
    finally:
        this_host.cache_clear()
    assert named.name == "blue"
    assert named.id == PROCESS.host.id
    assert PROCESS.host.name == socket.gethostname()
    assert PROCESS.id == f"{PROCESS.host.id}:{PROCESS.name}:{os.getpid()}"


def test_a_host_under_another_name_has_another_id() -> None:
    host = Host("0a1b2c3d4e5f", "first")
    other = host.renamed("second")
    assert (other.name, len(other.id)) == ("second", len(host.id))
    assert other.id != host.id
    assert host.renamed("second") == other
    assert host.renamed("first") is host
