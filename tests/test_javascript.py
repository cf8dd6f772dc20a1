"""JavaScript passes biome and tsc, which are pinned, and declares the frames of the wire as Python does."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from hubbub.protocol import Event, Ok

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("script", ["lint", "types"])
def test_javascript_has_no_finding(script: str) -> None:
    assert shutil.which("npm"), "npm is missing: sudo apt-get install npm"
    assert (ROOT / "node_modules").is_dir(), "the tools are not installed: make node_modules/.installed"
    checked = subprocess.run(["npm", "run", "--silent", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_tools_are_pinned_by_version_and_hash() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["devDependencies"] == wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version} is a range"
        assert packages[f"node_modules/{name}"]["version"] == version
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/"), path


INTERFACE = re.compile(r"^export interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^  (\w+)(\??):", re.MULTILINE)
# Names that differ: a page has a state of its own.
RENAMED = {"Error": "ErrorFrame", "RoomState": "RoomInfo", "MessageState": "Message"}


def declared_frames(app: str) -> dict[str, dict[str, bool]]:
    """The fields of the interfaces that scripts use, and whether each is optional."""
    paths = (ROOT / name / "static" / name / "js" / "types.d.ts" for name in {"hubbub", app})
    frames = [match for path in paths for match in INTERFACE.findall(path.read_text())]
    own = {name: {field: mark == "?" for field, mark in FIELD.findall(body)} for name, _, body in frames}
    return {name: own.get(base, {}) | own[name] for name, base, _ in frames}


@pytest.mark.parametrize(
    ("app", "module", "prefix", "count"),
    [
        ("hubbub", "protocol", "", 10),
        ("hubbub", "topics.frames", "Topic", 4),
        ("chat", "protocol", "", 8),
        ("monitor", "protocol", "", 6),
    ],
)
def test_scripts_declare_the_frames_that_the_server_sends(app: str, module: str, prefix: str, count: int) -> None:
    declared = declared_frames(app)
    compared = 0
    for name, struct in vars(importlib.import_module(f"{app}.{module}")).items():
        frame = declared.get(prefix + RENAMED.get(name, name))
        if frame is None or not isinstance(struct, type) or not issubclass(struct, msgspec.Struct):
            continue
        config = struct.__struct_config__
        fields = {
            field.encode_name: config.omit_defaults and not field.required for field in msgspec.structs.fields(struct)
        }
        if "type" in frame:
            fields["type"] = False
        if issubclass(struct, Event) and "topic" in frame:
            fields |= {"topic": False, "position": False}  # The engine adds them to the events of a topic.
        assert frame.keys() == fields.keys(), f"{app}/static/{app}/js/types.d.ts: {name}"
        if issubclass(struct, Ok):
            fields["ref"] = False  # An answer that is sent always has one.
        missing = {field for field, is_optional in fields.items() if is_optional and not frame[field]}
        assert not missing, f"{name}: the server may leave out {missing}"
        compared += 1
    assert compared >= count
