"""Topics beyond their declaration: positions of one's own, all topics by name, and names of users that change.

`Topic` and `command` are in `hubbub`. The names are loaded when they are used first: some need models.
"""

from typing import TYPE_CHECKING

from hubbub.process.lazy_names import lazy_names

if TYPE_CHECKING:
    from hubbub.delivery.recovery import StreamPosition
    from hubbub.process.refusals import BadDeclaration
    from hubbub.topics.first_answer import first_answer
    from hubbub.topics.frames import max_bytes
    from hubbub.topics.marks import next_positions, person_changed
    from hubbub.topics.reading import page_bytes
    from hubbub.topics.topic import topics

__all__ = [
    "BadDeclaration",
    "StreamPosition",
    "first_answer",
    "max_bytes",
    "next_positions",
    "page_bytes",
    "person_changed",
    "topics",
]

__getattr__ = lazy_names(
    __name__,
    {
        "BadDeclaration": "hubbub.process.refusals",
        "StreamPosition": "hubbub.delivery.recovery",
        "first_answer": "hubbub.topics.first_answer",
        "max_bytes": "hubbub.topics.frames",
        "next_positions": "hubbub.topics.marks",
        "page_bytes": "hubbub.topics.reading",
        "person_changed": "hubbub.topics.marks",
        "topics": "hubbub.topics.topic",
    },
)
