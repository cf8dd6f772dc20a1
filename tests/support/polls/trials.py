"""Topics that only tests of topics use: shelves (a state with commands of every kind) and inboxes of one user each."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from django.db.models import F

from hubbub import VIEW, Topic, command
from hubbub.protocol import ErrorCode, Refused
from tests.support.polls.models import Note, Poll


def shelf_of(note: Note) -> int | None:
    return int(note.board) if note.board.isdigit() else None


class ShelfTopic(Topic, name="shelf", key=int):
    """The notes of the board that is called like its key."""

    permission = "polls.view_poll"
    follows = {Note: shelf_of}
    # Set by tests: called by `swap` and `touch` between their two changes.
    between: ClassVar[Callable[[], None]] = staticmethod(lambda: None)

    def state(self) -> Any:
        return list(Note.objects.filter(board=str(self.key)).order_by("position").values_list("text", flat=True))

    def may_view(self, user: Any) -> bool:
        return self.key < 1000 or user.get_username() == "alice"

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> Mapping[Any, Collection[Any]]:
        return {key: [user for user in users if cls(key).may_view(user)] for key, users in keys.items()}

    @command(permission=VIEW)
    def swap(self, user: Any, other: int) -> None:
        self.changed()
        ShelfTopic(other).changed()
        self.between()

    @command(permission=VIEW)
    def touch(self, user: Any, first: int, second: int) -> None:
        """Change two polls in this order, and this shelf."""
        for number, pk in enumerate((first, second)):
            if number:
                self.between()
            Poll.objects.filter(pk=pk).update(question=F("question"), is_open=True)
        self.changed()

    @command(permission=VIEW, once=True)
    def put(self, user: Any, text: str) -> dict[str, int]:
        if text == "refused":
            raise Refused(ErrorCode.INVALID, "not this text")
        count = Note.objects.filter(board=str(self.key)).count()
        Note.objects.create(board=str(self.key), position=count + 1, text=text)
        self.between()
        return {"count": count + 1}

    @command(permission=VIEW)
    def weigh(self, user: Any, size: int) -> Any:
        """Put a note, and return this many characters; below 0 a value that cannot be encoded."""
        Note.objects.create(board=str(self.key), position=1, text="weighed")
        return "x" * size if size >= 0 else object()

    @command(permission=VIEW, once=True)
    def weigh_once(self, user: Any, size: int) -> Any:
        Note.objects.create(board=str(self.key), position=1, text="weighed")
        return "x" * size if size >= 0 else object()

    @command(permission=VIEW, once=True)
    def take(self, user: Any, text: str) -> None:
        Note.objects.filter(board=str(self.key), text=text).delete()


class InboxTopic(Topic, name="inbox", key=str):
    """`inbox/7-x` is of the user 7."""

    personal = True

    def state(self) -> Any:
        return {"notes": Note.objects.filter(board=self.key).count()}

    def may_view(self, user: Any) -> bool:
        return bool(self.key.partition("-")[0] == str(user.pk))
