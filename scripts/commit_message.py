"""Checks a commit message: `python -m scripts.commit_message FILE`, as a commit-msg hook calls it.

The subject is `component: what changes`, of at most 60 characters, without a full stop. A blank line and the reason
follow.
"""

import re
import sys
from pathlib import Path

MAX_SUBJECT = 60
SUBJECT = re.compile(r"[a-z][a-z0-9_, /.-]*: \S.*[^.]")
GENERATED = ("Merge ", "Revert ", "fixup! ", "squash! ")


def problems(message: str) -> list[str]:
    """The breaches of the rule; empty for a good message."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(GENERATED):
        return []
    found = []
    if len(subject) > MAX_SUBJECT:
        found.append(f"The subject has {len(subject)} characters; at most {MAX_SUBJECT} are allowed.")
    if not SUBJECT.fullmatch(subject):
        found.append("The subject is not of the form `component: what changes`, without a full stop.")
    if len(lines) > 1 and lines[1].strip():
        found.append("A blank line is missing after the subject.")
    if not any(line.strip() for line in lines[2:]):
        found.append("The body is missing: it gives the reason.")
    return found


def main() -> int:
    found = problems(Path(sys.argv[1]).read_text())
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
