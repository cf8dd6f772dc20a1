"""Features import the public names from `hubbub`. They are loaded at their first use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hubbub
from tests.support.servers import ROOT

pytestmark = pytest.mark.slow

# Without models, so a settings module or a script may import them before Django is set up.
EARLY = ["BY_METHOD", "PUBLIC", "SIGNED_IN", "VIEW", "ErrorCode", "Refused", "__version__", "command"]


def run(code: str, folder: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    environ |= {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_importing_hubbub_loads_neither_django_nor_a_module_of_its_own(tmp_path: Path) -> None:
    code = "import hubbub, sys; print([name for name in sys.modules if name.startswith(('django', 'hubbub.'))])"
    assert run(code, tmp_path) == "[]\n"


def test_names_without_models_are_there_before_django_is_set_up(tmp_path: Path) -> None:
    names = ", ".join(EARLY)
    assert (
        run(f"from hubbub import {names}; print(*map(bool, [{names}]))", tmp_path)
        == " ".join(["True"] * len(EARLY)) + "\n"
    )


LATE = """
from django.conf import settings
settings.configure(INSTALLED_APPS=["hubbub", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True)
import django
django.setup()
import hubbub
print(*sorted(hubbub.__all__))
from hubbub import *
print(Topic.__name__, TopicConsumer.__name__, live.__name__, changed_many.__name__)
"""


LATER = ("Call", "Topic", "TopicConsumer", "Versioned", "Watch", "changed_many", "live")


def test_every_name_is_there_when_django_is_set_up(tmp_path: Path) -> None:
    names, late = run(LATE, tmp_path).splitlines()
    assert set(names.split()) == {*EARLY, *LATER}
    assert late == "Topic TopicConsumer live changed_many"


def test_each_name_is_the_object_of_its_module() -> None:
    for name, module in hubbub._MODULES.items():
        value = getattr(hubbub, name)
        assert value is getattr(sys.modules[module], name)
    assert set(hubbub.__all__) == {*hubbub._MODULES, "__version__"}


def test_another_name_is_an_attribute_error_and_modules_are_found_as_ever() -> None:
    with pytest.raises(AttributeError, match="module 'hubbub' has no attribute 'publish_everything'"):
        hubbub.publish_everything  # noqa: B018
    from hubbub import conf

    assert conf.__name__ == "hubbub.conf"
