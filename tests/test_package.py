"""The engine as a package: in a fresh environment it carries a feature of another project on a real server."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.client import opened
from tests.support.servers import ROOT, START_SECONDS, free_port

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
STATIC_URL, STATIC_ROOT, VAR_DIR = "static/", BASE_DIR / "collected", BASE_DIR / "var"
REDIS_URL = os.environ["REDIS_URL"]
CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.delivery.layer.RedisPubSubLayer"}}
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a clone, as `pip install git+…` does."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), folder / "clone"], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-w", folder, folder / "clone"], check=True)
    [built] = folder.glob("hubbub-*.whl")
    return built


class Project:
    """A small Django project outside the repository, and an environment in which the wheel is installed."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder / "site"
        (self.folder / "hands").mkdir(parents=True)
        (self.folder / "hands" / "__init__.py").touch()
        (self.folder / "hands" / "topics.py").write_text(TOPIC)
        (self.folder / "elsewhere.py").write_text(SETTINGS)
        (self.folder / "asgi.py").write_text(ASGI.replace("mysite.settings", "elsewhere"))
        (self.folder / "addresses.py").write_text(ADDRESSES)
        venv.create(folder / "venv")
        self.python = folder / "venv" / "bin" / "python"
        [packages] = (folder / "venv" / "lib").glob("python3.*/site-packages")
        # The dependencies are those that the tests run with; the repository itself is not among them.
        there = next(path for path in sys.path if path.endswith("site-packages"))
        (packages / "dependencies.pth").write_text(there)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "PYTHON"))}
        self.environ = keep | {"DJANGO_SETTINGS_MODULE": "elsewhere", "PYTHONPATH": str(self.folder)}

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        command = [self.python, "-m", "hubbub.server", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
        return subprocess.Popen([*command, "asgi:application"], cwd=self.folder, env=self.environ)

    def run(self, *arguments: str) -> str:
        command = [self.python, *arguments]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, wheel: Path) -> Project:
    return Project(tmp_path, wheel)


@pytest.mark.asyncio
async def test_an_installed_engine_carries_a_feature_of_another_project(project: Project) -> None:
    assert project.run("-m", "django", "check") == "System check identified no issues (0 silenced)."
    project.run("-m", "django", "migrate", "-v0")
    project.run("-m", "django", "collectstatic", "--noinput", "-v0")
    assert (project.folder / "collected" / "hubbub" / "js" / "socket.js").is_file()
    module, template, token = project.run("-c", LOOK).splitlines()
    for path in (module, template):
        assert Path(path).is_relative_to(project.folder.parent / "venv")

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
            assert (await alice.request("join", topic="hands"))["type"] == "ok"
            assert (await alice.request("hand.raise", topic="hands", subject="Lunch"))["type"] == "ok"
            assert (await alice.event("hand.raised"))["user"]["name"] == "alice"
    finally:
        server.terminate()
        assert await asyncio.to_thread(server.wait, 20) == 0


def test_the_package_is_the_engine_and_all_of_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files", "hubbub"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"hubbub"}


def test_its_dependencies_are_in_the_ranges_of_the_requirements() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = (ROOT / "requirements.in").read_text().splitlines()
    for dependency in [*project["dependencies"], *project["optional-dependencies"]["postgres"]]:
        assert dependency in required
