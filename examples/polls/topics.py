"""A poll: its state is shown to all, and each user has one vote."""

from typing import Any

from django.db.models import Count

from hubbub import SIGNED_IN, VIEW, ErrorCode, Refused, Topic, command
from polls.models import Option, Poll, Vote


class PollTopic(Topic, name="poll", key=int):
    permission = SIGNED_IN
    follows = {Poll: lambda poll: poll.pk, Option: lambda option: option.poll_id, Vote: lambda vote: vote.poll_id}

    def state(self) -> dict[str, Any]:
        poll = Poll.objects.filter(pk=self.key).first()
        if poll is None:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such poll")
        bars = Option.objects.filter(poll=poll).annotate(n=Count("votes")).order_by("id")
        return {"question": poll.question, "bars": list(bars.values("id", "text", "n"))}

    @command(permission=VIEW)
    def vote(self, user: Any, option: int) -> None:
        if not Option.objects.filter(pk=option, poll=self.key).exists():
            raise Refused(ErrorCode.NOT_FOUND, "there is no such option")
        Vote.objects.update_or_create(poll_id=self.key, user=user, defaults={"option_id": option})
