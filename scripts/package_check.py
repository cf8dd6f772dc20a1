"""Checks the built package: `python -m scripts.package_check dist`, a part of `make package`.

Metadata must be what an index accepts, with a description that has no relative link. Both kinds must have the same
version, and the wheel must be whole: each file with its hash in RECORD, the marker `py.typed`, and the licence of each
vendored library.
"""

import base64
import csv
import hashlib
import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from packaging.metadata import Metadata
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version
from trove_classifiers import classifiers as known_classifiers

NAME = canonicalize_name("django-hubbub")
EXTRAS = {"server", "postgres", "chat", "monitor", "client"}
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
# The target of a link or picture: in the text, by reference, in HTML.
TARGET = re.compile(r"\]\(\s*([^)\s]*)|^ {0,3}\[[^]]+\]:\s*(\S+)|\b(?:src|href)\s*=\s*[\"']?([^\"'\s>]+)", re.MULTILINE)


def main() -> None:
    folder = Path(sys.argv[1])
    found = problems(folder)
    for problem in found:
        sys.stderr.write(f"make package: {problem}\n")
    sys.exit(bool(found))


def problems(folder: Path) -> list[str]:
    """The faults of the wheel and the sources in the folder; empty: none."""
    wheels, sources = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sources) != 1:
        return [f"{folder} has {len(wheels)} wheels and {len(sources)} source archives; one of each is needed"]
    [wheel], [source] = wheels, sources
    versions = {parse_wheel_filename(wheel.name)[1], parse_sdist_filename(source.name)[1]}
    found = [] if len(versions) == 1 else ["wheel and sources have different versions"]
    with zipfile.ZipFile(wheel) as archive:
        [info] = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        found += check_metadata(archive.read(f"{info}/METADATA"), wheel.name, min(versions))
        found += check_record(archive, info)
        found += check_content(archive, info)
    with tarfile.open(source) as sdist:
        member = sdist.extractfile(f"{source.name.removesuffix('.tar.gz')}/PKG-INFO")
        found += check_metadata(member.read() if member else b"", source.name, min(versions))
    return found


def check_metadata(text: bytes, of: str, version: Version) -> list[str]:
    """What an index would refuse in the core metadata."""
    try:
        metadata = Metadata.from_email(text, validate=True)
    except ExceptionGroup as group:
        return [f"{of}: {error}" for error in group.exceptions]
    found = []
    if (canonicalize_name(metadata.name), metadata.version) != (NAME, version):
        found.append(f"{of}: its metadata are of {metadata.name} {metadata.version}")
    if not (metadata.description and metadata.description_content_type == "text/markdown"):
        found.append(f"{of}: it has no description in Markdown")
    if links := relative_links(metadata.description or ""):
        found.append(f"{of}: its description has {len(links)} relative links, such as {links[0]}; see hatch_build.py")
    if {*(metadata.provides_extra or [])} != EXTRAS:
        found.append(f"{of}: its extras are not {', '.join(sorted(EXTRAS))}")
    unknown = {*(metadata.classifiers or [])} - known_classifiers
    return [*found, *(f"{of}: no index knows the classifier {name!r}" for name in sorted(unknown))]


def relative_links(markdown: str) -> list[str]:
    """The links and pictures that lead nowhere on the page of a package index."""
    targets = ["".join(found) for found in TARGET.findall(CODE.sub("", markdown))]
    return [target for target in dict.fromkeys(targets) if not re.match(r"https?://|mailto:", target)]


def check_record(archive: zipfile.ZipFile, info: str) -> list[str]:
    """The files that RECORD does not name, or names with another hash."""
    recorded = {row[0]: row[1] for row in csv.reader(io.StringIO(archive.read(f"{info}/RECORD").decode()))}
    names = {name for name in archive.namelist() if not name.endswith("/")}
    found = [f"RECORD and the wheel differ: {name}" for name in sorted(names ^ {*recorded})]
    for name in sorted(names & {*recorded} - {f"{info}/RECORD"}):
        digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
        if recorded[name] != f"sha256={digest}":
            found.append(f"RECORD has another hash for {name}")
    return found


def check_content(archive: zipfile.ZipFile, info: str) -> list[str]:
    """Files that are missing in the wheel: the marker of types, and licences."""
    names = {*archive.namelist()}
    found = [] if "hubbub/py.typed" in names else ["hubbub/py.typed is missing: type checkers would ignore the package"]
    declared = {
        f"{info}/licenses/{path}"
        for path in Metadata.from_email(archive.read(f"{info}/METADATA"), validate=False).license_files or []
    }
    found += [f"a licence is missing in the wheel: {name}" for name in sorted(declared - names)]
    if f"{info}/licenses/LICENSE" not in declared:
        found.append("the licence of the package is missing in its metadata")
    for library in sorted(filter(None, map(_library, names))):
        path = library.relative_to("hubbub/copies") if library.is_relative_to("hubbub/copies") else library
        if f"{info}/licenses/{path}/LICENSE" not in declared:
            found.append(f"the licence of {library} is missing in the metadata")
    return list(dict.fromkeys(found))


def _library(name: str) -> PurePosixPath | None:
    """The folder of the vendored library that the file belongs to."""
    parts = PurePosixPath(name).parts
    if "vendor" not in parts or ".dist-info" in parts[0]:
        return None
    return PurePosixPath(*parts[: parts.index("vendor") + 2])


if __name__ == "__main__":
    main()
