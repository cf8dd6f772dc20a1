"""The frame of `make release-package`: refuses what is not ready, and says what the maintainer does with the result.

`python -m scripts.release_package ready [VERSION]` comes before the build, `… next` after it.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

from packaging.version import InvalidVersion, Version

NEXT = """django-hubbub {version} is built and tried. Next, with the account of the maintainers:
  git tag -a v{version} -m "django-hubbub {version}"
  git push origin v{version}
  twine upload {names}
"""
WITHOUT_LINKS = "The package's page has no links to the documents: pyproject.toml has no file-url and picture-url.\n"


class NotReady(Exception):
    """The package cannot be released. Its text says why, and what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.release_package", description=__doc__)
    parser.add_argument("step", choices=["ready", "next"])
    parser.add_argument("version", nargs="?", default="", help="the version that is meant; default: that of the code")
    options = parser.parse_args()
    root = Path.cwd()
    try:
        version = check_ready(root, options.version)
    except NotReady as problem:
        sys.exit(f"make release-package: {problem}")
    if options.step == "next":
        names = [str(path.relative_to(root)) for path in sorted((root / "dist").glob(f"django_hubbub-{version}*"))]
        sys.stdout.write(NEXT.format(version=version, names=" ".join(names)))
        if not has_addresses(root):
            sys.stdout.write(WITHOUT_LINKS)


def check_ready(root: Path, wanted: str = "") -> str:
    """Return the version to release.

    Args:
        root: The checkout.
        wanted: The version that the maintainer means; empty: that of the code.

    Raises:
        NotReady: A part is missing, or contradicts another.
    """
    if changes := _git(root, "status", "--porcelain"):
        names = [line[3:] for line in changes.splitlines()]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise NotReady(f"the tree has changes that are not committed: {', '.join(names[:3])}{more}")
    version = _version_of_code(root)
    if wanted and wanted != version:
        raise NotReady(f"VERSION={wanted}, and hubbub/__init__.py has {version}: change one of them")
    if _git(root, "tag", "--list", f"v{version}"):
        raise NotReady(f"the tag v{version} exists: raise __version__ in hubbub/__init__.py")
    newest, day = _newest_section(root)
    heading = f'give the changes the heading "## {version} - YYYY-MM-DD", with the day of the release'
    if newest != version:
        found = newest or "of no version"
        raise NotReady(
            f"the newest section of CHANGELOG.md is {found}, and hubbub/__init__.py has {version}: {heading}"
        )
    if not _is_day(day):
        raise NotReady(f"the section {version} of CHANGELOG.md has {day or 'no date'}: {heading}")
    return version


def has_addresses(root: Path) -> bool:
    """Whether pyproject.toml has the addresses of the repository's files, for links of the package page."""
    configured = tomllib.loads((root / "pyproject.toml").read_text())
    hook = configured["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    return bool(hook["file-url"] and hook["picture-url"])


def _version_of_code(root: Path) -> str:
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "hubbub" / "__init__.py").read_text(), re.MULTILINE)
    text = found[1] if found else ""
    try:
        if str(Version(text)) == text:
            return text
    except InvalidVersion:
        pass
    raise NotReady(f"hubbub/__init__.py has the version {text!r}: such as 1.2.0 is allowed")


def _newest_section(root: Path) -> tuple[str, str]:
    """The version and the date of the first section that has changes; an empty "Unreleased" may be above it."""
    for section in re.split(r"^## ", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]:
        title, _, content = section.partition("\n")
        if content.strip():
            found = re.match(r"(?P<version>\d\S*)(?: - )?(?P<day>.*)", title)
            return (found["version"], found["day"].strip()) if found else ("", "")
    return "", ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if ran.returncode:
        raise NotReady(f"git {arguments[0]} failed: {(ran.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return ran.stdout.rstrip()


if __name__ == "__main__":
    main()
