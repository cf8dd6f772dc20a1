from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from django.db.models import Count

from hubbub import PUBLIC, SIGNED_IN, VIEW, ErrorCode, Refused, Topic, Versioned, command
from tests.support.polls.models import Note, Option, Poll, Vote


class PollTopic(Topic, name="poll", key=int):
    permission = "polls.view_poll"
    follows = {Poll: lambda poll: poll.pk, Option: lambda option: option.poll_id, Vote: lambda vote: vote.poll_id}

    def state(self) -> Any:
        poll = Poll.objects.filter(pk=self.key).first()
        if poll is None:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such poll")
        bars = poll.options.annotate(n=Count("votes")).values("id", "text", "n")
        return {"question": poll.question, "bars": list(bars.order_by("id"))}

    def may_view(self, user: Any) -> bool:
        return not Poll.objects.filter(pk=self.key, is_open=False).exists()

    @command(permission="polls.add_vote")
    def vote(self, user: Any, option: int) -> None:
        if not Option.objects.filter(pk=option, poll=self.key).exists():
            raise Refused(ErrorCode.NOT_FOUND, "there is no such option")
        Vote.objects.update_or_create(poll_id=self.key, user=user, defaults={"option_id": option})


class BoardTopic(Topic, name="board", key=Annotated[str, msgspec.Meta(pattern="^[a-z]{1,20}$")]):
    kind = "log"
    permission = SIGNED_IN
    presence = True

    def state(self) -> Any:
        newest = Note.objects.filter(board=self.key).order_by("-position")[:3]
        return [{"position": note.position, "text": note.text} for note in reversed(newest)]

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]:
        notes = Note.objects.filter(board=self.key, position__gt=after).order_by("position")[:limit]
        return [(note.position, self.event(note)) for note in notes]

    def event(self, note: Note) -> dict[str, Any]:
        return {"type": "noted", "text": note.text}

    @command("note.add", permission=VIEW, once=True)
    def add(self, user: Any, text: str) -> dict[str, int]:
        if not text:
            raise Refused(ErrorCode.INVALID, "a note needs a text")
        note = Note.objects.create(board=self.key, position=self.next_position(), text=text)
        self.publish(note.position, self.event(note))
        return {"position": note.position}

    @command("note.last", permission=VIEW, reads=True)
    def last(self, user: Any) -> str | None:
        return Note.objects.filter(board=self.key).order_by("-position").values_list("text", flat=True).first()

    @command("note.typing", permission=VIEW, told=True)
    def typing(self, user: Any) -> None:
        self.tell({"type": "typing", "name": user.name})

    def viewer(self, user: Any) -> Any:
        return {"name": user.get_username()}


class ThermometerTopic(Topic, name="thermometer"):
    kind = "newest"
    permission = SIGNED_IN
    celsius: float | None = None

    def state(self) -> Versioned:
        return Versioned({"celsius": ThermometerTopic.celsius}, version=-1)

    @command("thermometer.typing", permission=VIEW, told=True)
    def typing(self, user: Any) -> None:
        self.tell({"type": "typing", "name": user.name})


class SignTopic(Topic, name="sign"):
    kind = "newest"
    permission = PUBLIC

    async def state(self) -> Any:  # type: ignore[override]
        return {"text": "open until six"}


# Last, since they use the topics above. Rows are followed of the topics that this module has imported.
from tests.support.polls import diaries, trials  # noqa: E402, F401
