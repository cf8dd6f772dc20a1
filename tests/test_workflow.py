"""The workflow of hosted CI and the templates of issues are valid, and name what exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.matrix import COMBINATIONS

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
TARGET = re.compile(r"^([\w./-]+(?: [\w./-]+)*):(?!=)", re.MULTILINE)
FORM_TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def made(text: str) -> set[str]:
    """The targets of make in shell lines or in code of a page."""
    return {*re.findall(r"(?:^|`)make ([\w./-]+)", text, re.MULTILINE)}


def targets() -> set[str]:
    return {name for names in TARGET.findall((ROOT / "Makefile").read_text()) for name in names.split()}


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = load(GITHUB / "workflows" / "ci.yml")["jobs"]
    return found


def test_the_workflow_makes_targets_that_exist() -> None:
    scripts = "\n".join(step["run"] for job in jobs().values() for step in job["steps"] if "run" in step)
    assert made(scripts) == {"check", "test", "matrix", ".venv/.installed-dev"}
    assert made(scripts) <= targets()


def test_the_workflow_tries_each_combination_on_its_python() -> None:
    entries = jobs()["matrix"]["strategy"]["matrix"]["include"]
    assert {(entry["combination"], entry["python"]) for entry in entries} == {
        (each.name, each.python) for each in COMBINATIONS
    }
    assert len(entries) == len(COMBINATIONS)


def test_the_workflow_runs_on_changes_with_the_least_rights() -> None:
    workflow = load(GITHUB / "workflows" / "ci.yml")
    assert {*workflow[True]} == {"push", "pull_request"}  # YAML 1.1 reads `on` as true.
    assert workflow["permissions"] == {"contents": "read"}
    for job in jobs().values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            # Only names of the repository itself are put into a shell line.
            assert {*re.findall(r"\$\{\{ *(\S+) *\}\}", step.get("run", ""))} <= {"matrix.combination"}


@pytest.mark.parametrize("name", ["bug.yml", "feature.yml"])
def test_an_issue_form_is_complete(name: str) -> None:
    form = load(GITHUB / "ISSUE_TEMPLATE" / name)
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= FORM_TYPES
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)
    assert all(field["attributes"]["options"] for field in fields if field["type"] == "dropdown")
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_every_other_file_is_known() -> None:
    names = {str(path.relative_to(GITHUB)) for path in GITHUB.rglob("*") if path.is_file()}
    assert names == {"workflows/ci.yml", "PULL_REQUEST_TEMPLATE.md"} | {
        f"ISSUE_TEMPLATE/{name}" for name in ("bug.yml", "feature.yml", "config.yml")
    }
    assert load(GITHUB / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": False}


@pytest.mark.parametrize("page", [".github/PULL_REQUEST_TEMPLATE.md", "CONTRIBUTING.md", "README.md"])
def test_pages_name_targets_that_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    assert made(re.sub(r"^    (?=make )", "", text, flags=re.MULTILINE)) <= targets()


def test_contributors_are_told_of_them() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert ".github/workflows/ci.yml" in text
    assert ".github/PULL_REQUEST_TEMPLATE.md" in text
