"""A log with positions in its own rows, and a command with a batch."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from hubbub import SIGNED_IN, VIEW, Call, Topic, command, users
from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import StreamPosition
from hubbub.protocol import ErrorCode, Refused
from hubbub.topics.access import not_found
from tests.support.polls.models import Diary, Note


class Page(msgspec.Struct, frozen=True):
    text: str
    size: int = 0


def write(slug: str, text: str) -> int:
    """Save a page, and publish nothing. Returns its position."""
    diary = Diary.objects.select_for_update().get(slug=slug)
    diary.position += 1
    diary.save(update_fields=["position"])
    Note.objects.create(board=f"diary-{slug}", position=diary.position, text=text)
    return diary.position


class DiaryTopic(Topic, name="diary", key=Annotated[str, msgspec.Meta(pattern="^[a-z]{1,20}$")]):
    kind = "log"
    permission = SIGNED_IN
    ended = "burnt"
    # Set by tests: called with the texts of each batch, and with the key by `turn`.
    before: ClassVar[Callable[[Any], None]] = staticmethod(lambda _: None)
    _diary: Diary | None = None

    @staticmethod
    def ordered(calls: Sequence[Call]) -> Sequence[Call]:
        """In the order of rows, so that two batches meet no deadlock."""
        return sorted(calls, key=lambda call: call.topic.key)

    def may_view(self, user: Any) -> bool:
        return Diary.objects.filter(slug=self.key, readers=user).exists()

    def enter(self, identity: Identity) -> dict[str, int]:
        self._diary = Diary.objects.filter(slug=self.key, readers=users.key_of(identity.user_id)).first()
        if self._diary is None:
            raise not_found()
        return {"pages": self._diary.position}

    def state(self) -> list[str]:
        return [note.text for note in self._notes().order_by("-position")[:3]][::-1]

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]:
        notes = self._notes().filter(position__gt=after).order_by("position")[:limit]
        return [(note.position, self.event(note.text)) for note in notes]

    def can_resume(self, after: int) -> bool:
        assert self._diary is not None
        return after >= self._diary.purged

    @classmethod
    def read_positions(cls, keys: Collection[str]) -> Mapping[str, StreamPosition]:
        rows = Diary.objects.filter(slug__in=keys)
        return {row.slug: StreamPosition(row.epoch, row.position, row.access_version) for row in rows}

    @classmethod
    def renew_epoch(cls) -> None:
        Diary.objects.update(epoch="renewed")

    @classmethod
    def denied(cls, users: Mapping[str, Collection[str]]) -> Mapping[str, Mapping[str, str]]:
        allowed = {*Diary.objects.filter(slug__in=users).values_list("slug", "readers")}
        return {
            slug: {user_id: "unread" for user_id in ids if (slug, int(user_id)) not in allowed}
            for slug, ids in users.items()
        }

    def event(self, text: str) -> dict[str, str]:
        return {"type": "page.added", "text": text}

    @command("page.add", permission="polls.view_poll", batch=10, arguments=Page)
    @classmethod
    def add(cls, calls: Sequence[Call]) -> list[Any]:
        """Texts of tests: "refused", "raised", "broken", "odd" (a result that cannot be encoded), "few" (no result)."""
        cls.before([call.arguments.text for call in calls])
        results: list[Any] = []
        for call in cls.ordered(calls):
            text = call.arguments.text
            if text == "refused":
                results.append((call, Refused(ErrorCode.INVALID, "not this text")))
                continue
            position = write(call.topic.key, text)
            call.topic.publish(position, call.topic.event(text))
            if text == "raised":
                raise Refused(ErrorCode.CONFLICT, "raised")
            if text == "broken":
                raise ValueError("broken")
            result = {"position": position, "by": call.user.get_username(), "filler": "x" * call.arguments.size}
            results.append((call, object() if text == "odd" else result))
        by_call = {id(call): result for call, result in results}
        return [by_call[id(call)] for call in calls if call.arguments.text != "few"]

    @command("page.last", permission=VIEW, reads=True)
    def last(self, user: Any) -> str | None:
        return self._notes().order_by("-position").values_list("text", flat=True).first()

    @command("page.turn", permission=VIEW)
    def turn(self, user: Any) -> None:
        self.before(self.key)

    def _notes(self) -> Any:
        return Note.objects.filter(board=f"diary-{self.key}")
