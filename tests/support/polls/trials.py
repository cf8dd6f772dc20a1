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


def drawer_of(note: Note) -> tuple[int, str] | None:
    number, dash, label = note.board.partition("-")
    return (int(number), label) if dash and number.isdigit() else None


class DrawerTopic(Topic, name="drawer", key=tuple[int, str]):
    """The notes of the board `7-todo` are those of `drawer/7/todo`."""

    permission = "polls.view_poll"
    follows = {Note: drawer_of}
    # Set by tests: drawers that nobody may see.
    locked: ClassVar[set[tuple[int, str]]] = set()

    def state(self) -> Any:
        number, label = self.key
        notes = Note.objects.filter(board=f"{number}-{label}").order_by("position")
        return list(notes.values_list("text", flat=True))

    def may_view(self, user: Any) -> bool:
        return self.key not in self.locked

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> Mapping[Any, Collection[Any]]:
        return {key: users for key, users in keys.items() if key not in cls.locked}

    @command(permission=VIEW)
    def put(self, user: Any, text: str) -> int:
        number, label = self.key
        return Note.objects.create(board=f"{number}-{label}", position=self.count() + 1, text=text).position

    def count(self) -> int:
        return len(self.state())


class InboxTopic(Topic, name="inbox", key=str):
    """`inbox/7-x` is of the user 7."""

    personal = True

    def state(self) -> Any:
        return {"notes": Note.objects.filter(board=self.key).count()}

    def may_view(self, user: Any) -> bool:
        return bool(self.key.partition("-")[0] == str(user.pk))
