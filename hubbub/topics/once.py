"""Commands that have one effect per user, topic and id of the client, on any process and after any crash."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from hubbub.models import TopicOnce
from hubbub.protocol import ErrorCode, Refused, to_json
from hubbub.topics.commands import CommandSpec
from hubbub.topics.frames import result_json
from hubbub.topics.interface import LiveTopic

KEPT = timedelta(days=7)
ROWS_PER_STEP = 200  # A few milliseconds of SQLite's write lock.


def run(
    topic: LiveTopic,
    spec: CommandSpec,
    user_id: str,
    client_id: str,
    arguments: Mapping[str, Any],
    method: Callable[[], Any],
) -> msgspec.Raw:
    """Run `method`, or answer as it was answered before. In the transaction of the command.

    Two transactions with one id at the same instant: the second waits for the row of the first.

    Returns:
        The JSON of the result.

    Raises:
        Refused: by the method; nothing is kept then. `conflict`: the id was used for another command or arguments.
    """
    kept = TopicOnce.objects.using(topic.database)
    digest = hashlib.sha256(to_json(arguments, is_sorted=True)).hexdigest()
    mine = {"user_id": user_id, "address": topic.address, "client_id": client_id}
    row = TopicOnce(**mine, command=spec.name, arguments=digest, answer="", at=timezone.now())
    kept.bulk_create([row], ignore_conflicts=True)
    saved = kept.get(**mine)
    if saved.answer:
        if (saved.command, saved.arguments) != (spec.name, digest):
            raise Refused(ErrorCode.CONFLICT, "this id was used for another command")
        return msgspec.Raw(saved.answer.encode())
    answer = result_json(spec.name, method())
    kept.filter(pk=saved.pk).update(answer=answer.decode())
    return msgspec.Raw(answer)


def clear_step(database: str) -> int:
    """Delete some rows that are older than a week. Returns how many."""
    expired = TopicOnce.objects.using(database).filter(at__lt=timezone.now() - KEPT)
    keys = list(expired.order_by("at").values_list("pk", flat=True)[:ROWS_PER_STEP])
    return TopicOnce.objects.using(database).filter(pk__in=keys).delete()[0] if keys else 0
