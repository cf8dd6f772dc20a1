"""A module of a team that mypy finds nothing in, by its strictest rules, and one with mistakes that types find."""

TYPED = '''
"""Raised hands."""

from typing import Annotated, Any

from msgspec import Meta

from hubbub import SIGNED_IN, VIEW, ErrorCode, Refused, Topic, TopicConsumer, changed_many, command, live


class HandsTopic(Topic, name="hands", key=int):
    permission = SIGNED_IN

    def state(self) -> dict[str, int]:
        return {"hands": 0}

    @command("hand.raise", permission=VIEW)
    def raise_hand(self, user: Any, subject: Annotated[str, Meta(max_length=80)]) -> int:
        if not subject.strip():
            raise Refused(ErrorCode.INVALID, "subject is empty")
        self.changed()
        return len(subject)


class HandsConsumer(TopicConsumer):
    topics = [HandsTopic]


application = live(HandsTopic).as_asgi()


def raise_all(user: Any) -> int:
    changed_many([HandsTopic(1), HandsTopic(2)])
    return HandsTopic(7).raise_hand(user, subject="Lunch")
'''
MISTAKES = """
import hubbub
from raised import HandsTopic
HandsTopic(7).raise_hand(None, subject=5)
HandsTopic(7).chnged()
number: int = hubbub.__version__
"""
