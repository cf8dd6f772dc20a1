"""Topics for anonymous visitors, and one that is for users only."""

from typing import Any, ClassVar

from msgspec import Struct

from hubbub import BY_METHOD, PUBLIC, SIGNED_IN, VIEW, Topic, TopicConsumer, command
from tests.support.polls.topics import BoardTopic


class Line(Struct):
    text: str


class WallTopic(Topic, name="wall", key=str):
    permission = PUBLIC
    presence = True
    lines: ClassVar[list[str]] = []
    # Set by tests: walls that nobody may see, and users of the hooks.
    closed: ClassVar[set[str]] = set()
    joined: ClassVar[list[str]] = []

    def state(self) -> Any:
        return [*self.lines]

    def may_view(self, user: Any) -> bool:
        return self.key not in self.closed

    def viewer(self, user: Any) -> Any:
        return {"is_visitor": not user.is_authenticated}

    def on_join(self, user: Any) -> None:
        self.joined.append(user.get_username())

    @command(permission=PUBLIC)
    def write(self, user: Any, text: str) -> str:
        self.lines.append(text)
        self.changed()
        return str(user)

    @command(permission=VIEW)
    def scrub(self, user: Any) -> None:
        self.lines.clear()
        self.changed()

    @command(permission=PUBLIC, once=True)
    def sign(self, user: Any) -> None:
        self.lines.append(str(user))

    @command(permission=PUBLIC, told=True)
    def wave(self, user: Any) -> None:
        self.tell({"type": "waved", "id": user.id})

    @command(permission=VIEW, told=True)
    def nod(self, user: Any) -> None:
        self.tell({"type": "nodded", "id": user.id})

    @command(permission=PUBLIC, batch=10, arguments=Line)
    @classmethod
    def add(cls, calls: Any) -> Any:
        cls.lines.extend(call.arguments.text for call in calls)
        return [str(call.user) for call in calls]

    @command(permission=BY_METHOD, batch=10, arguments=Line)
    @classmethod
    def carve(cls, calls: Any) -> Any:
        cls.lines.extend(call.arguments.text for call in calls)
        return [None for _ in calls]


class VaultTopic(Topic, name="vault"):
    """A topic for users, with an `enter` of its own."""

    permission = SIGNED_IN

    def state(self) -> Any:
        return "gold"

    def enter(self, identity: Any) -> Any:
        return None


class OfficeTopic(Topic, name="office"):
    permission = SIGNED_IN

    def state(self) -> Any:
        return "open"

    @command(permission=PUBLIC)
    def knock(self, user: Any) -> None:
        self.changed()


class WallConsumer(TopicConsumer):
    topics = [WallTopic, OfficeTopic, VaultTopic, BoardTopic]


class OfficeConsumer(TopicConsumer):
    topics = [OfficeTopic]
