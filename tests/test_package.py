"""The engine as a package: in a fresh environment it carries a feature of another project on a real server."""

import asyncio
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import hubbub
from scripts.package_check import problems
from tests.support.client import opened
from tests.support.packages import built_package, environment_with, own_environment_with
from tests.support.servers import ROOT, START_SECONDS, free_port
from tests.support.typed_team import MISTAKES, TYPED

pytestmark = pytest.mark.cluster

TOPIC, ASGI = re.findall(r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)

SETTINGS = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["hubbub", "hands", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"]
ROOT_URLCONF = "addresses"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL, STATIC_ROOT = "static/", BASE_DIR / "collected"
HUBBUB = {"REDIS_URL": os.environ["REDIS_URL"]}
CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}
ASGI_APPLICATION = "asgi.application"
"""
ADDRESSES = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""
LOOK = """
import django, hubbub
django.setup()
from django.contrib.auth import get_user_model
from django.template.loader import get_template
from hubbub.auth.tokens import create_token
print(hubbub.__file__)
print(get_template("admin/hubbub/accesstoken/created.html").origin.name)
print(create_token(user=get_user_model().objects.create(username="alice"), name="test", expires_at=None)[1])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel (".whl") and the sources (".gz"), built from a clone as by `make package`."""
    return built_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def wheel(built: dict[str, Path]) -> Path:
    return built[".whl"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return environment_with(wheel, tmp_path_factory.mktemp("environment") / "venv", "server")


class Project:
    """A small Django project outside the repository."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder / "site"
        self.python = python
        (self.folder / "hands").mkdir(parents=True)
        (self.folder / "hands" / "__init__.py").touch()
        (self.folder / "hands" / "topics.py").write_text(TOPIC)
        (self.folder / "elsewhere.py").write_text(SETTINGS)
        (self.folder / "asgi.py").write_text(ASGI.replace("mysite.settings", "elsewhere"))
        (self.folder / "addresses.py").write_text(ADDRESSES)
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "PYTHON"))}
        self.environ = keep | {"DJANGO_SETTINGS_MODULE": "elsewhere", "PYTHONPATH": str(self.folder)}

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        command = [self.python, "-m", "hubbub.server", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
        return subprocess.Popen([*command, "asgi:application"], cwd=self.folder, env=self.environ)

    def run(self, *arguments: str) -> str:
        """Run Python. Returns its output."""
        ran = self._run(arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def fail(self, *arguments: str) -> str:
        """Run Python that fails. Returns its errors."""
        ran = self._run(arguments)
        assert ran.returncode != 0
        return ran.stderr.strip()

    def _run(self, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    return Project(tmp_path, python)


@pytest.mark.asyncio
async def test_an_installed_engine_carries_a_feature_of_another_project(project: Project) -> None:
    assert project.run("-m", "django", "check") == "System check identified no issues (0 silenced)."
    project.run("-m", "django", "migrate", "-v0")
    project.run("-m", "django", "collectstatic", "--noinput", "-v0")
    assert (project.folder / "collected" / "hubbub" / "js" / "socket.js").is_file()
    module, template, token = project.run("-c", LOOK).splitlines()
    for path in (module, template):
        assert Path(path).is_relative_to(project.python.parent.parent)

    port = free_port()
    server = project.serve(port)
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    assert server.poll() is None
                    await asyncio.sleep(0.05)
        writer.close()
        async with opened(f"http://127.0.0.1:{port}", "/ws/hands/", token=token) as alice:
            for kind, fields in (("join", {}), ("hand.raise", {"subject": "Lunch"})):
                answer = await alice.request(kind, topic="hands", **fields)
                assert answer["type"] == "ok", answer
            assert (await alice.event("hand.raised"))["user"]["name"] == "alice"
    finally:
        server.terminate()
        assert await asyncio.to_thread(server.wait, 20) == 0


def tracked(*folders: str) -> set[str]:
    return {
        *subprocess.run(
            ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
    }


def test_the_package_is_the_engine_and_all_of_it(built: dict[str, Path]) -> None:
    assert problems(built[".whl"].parent) == []
    names = {*zipfile.ZipFile(built[".whl"]).namelist()}
    copies = {f"hubbub/copies/{name}" for name in tracked("chat", "monitor")}
    assert {name for name in names if ".dist-info/" not in name} == tracked("hubbub") | copies
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", *(name for name in tracked("chat", "monitor") if "/LICENSE" in name)}
    with tarfile.open(built[".gz"]) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    folders = {"hubbub", "chat", "monitor", "docs", "examples"}
    assert tracked(*folders) <= sources
    assert {name.split("/")[0] for name in sources} <= {*folders, "PKG-INFO"} | {
        name for name in tracked() if "/" not in name
    }


def test_the_apps_are_copied_into_a_project_which_owns_them(project: Project) -> None:
    printed = project.run("-m", "hubbub", "copy", "chat", "monitor")
    assert 'add "chat" to INSTALLED_APPS' in printed
    assert "publish_metrics" in printed
    for app in ("chat", "monitor"):
        copied = {str(path.relative_to(project.folder)) for path in (project.folder / app).rglob("*") if path.is_file()}
        assert copied == tracked(app)
    again = project.fail("-m", "hubbub", "copy", "monitor")
    assert again == f"python -m hubbub copy: {Path('monitor')} exists; nothing was copied"
    assert project.fail("-m", "hubbub", "copy", "chat", "--to", "nowhere").endswith("nowhere is not a folder")
    assert "invalid choice: 'shop'" in project.fail("-m", "hubbub", "copy", "shop")
    assert project.run("-m", "hubbub", "--version") == hubbub.__version__


OF_EXTRAS = ("daphne", "twisted", "psycopg", "psutil", "markdown_it", "websockets", "whitenoise")


def test_a_wheel_without_extras_works_and_refuses_to_serve_in_one_line(tmp_path: Path, wheel: Path) -> None:
    project = Project(tmp_path, own_environment_with(wheel, tmp_path / "venv"))
    installed = f"import importlib.util; print([name for name in {OF_EXTRAS} if importlib.util.find_spec(name)])"
    assert project.run("-c", installed) == "[]"
    settings = (project.folder / "elsewhere.py").read_text()
    (project.folder / "elsewhere.py").write_text(settings.replace('["hubbub", ', '["hubbub", "hubbub.supervisor", '))
    assert project.run("-m", "django", "check") == "System check identified no issues (0 silenced)."
    project.run("-m", "django", "migrate", "-v0")
    line = 'needs daphne: pip install "django-hubbub[server]"'
    assert project.fail("-m", "hubbub.server", "asgi:application") == f"hubbub.server {line}"
    assert project.fail("-m", "django", "up") == f"CommandError: manage.py up {line}"


def test_a_strict_type_checker_knows_the_installed_package(project: Project) -> None:
    """By py.typed: without it the public names would be untyped, or an error."""
    (project.folder / "raised.py").write_text(TYPED)
    (project.folder / "mistakes.py").write_text(MISTAKES)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    command += ["--python-executable", str(project.python), "--cache-dir", str(project.folder / "cache")]

    def check(name: str) -> list[str]:
        ran = subprocess.run(
            [*command, name], cwd=project.folder, env=project.environ, capture_output=True, text=True, timeout=200
        )
        assert not ran.stderr
        return ran.stdout.splitlines()

    assert check("raised.py") == []
    found = check("mistakes.py")
    assert [(line.split(":")[1], line.rpartition("[")[2]) for line in found] == [
        ("4", "arg-type]"),
        ("5", "attr-defined]"),
        ("6", "assignment]"),
    ]


def test_its_dependencies_are_in_the_ranges_of_the_requirements() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = (ROOT / "requirements.in").read_text().splitlines()
    extras = project["optional-dependencies"]
    assert [*extras] == ["server", "postgres", "chat", "monitor", "client"]
    dependencies = {*project["dependencies"], *(name for names in extras.values() for name in names)}
    assert dependencies - {*required} == {"Django>=5.2,<6.2"}
    assert "Django>=5.2,<5.3" in required
