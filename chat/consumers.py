"""Chat's socket: each command becomes one call of a service or of history."""

from typing import Any, ClassVar

import msgspec

from chat import access, conf, history, posting, services
from chat.post_batcher import batcher
from chat.protocol import (
    COMMANDS,
    Joined,
    MessageDelete,
    MessageEdit,
    MessagePost,
    RoomHistory,
    RoomJoin,
    RoomLeave,
)
from chat.serializers import group_of, presence_changed
from hubbub import threads
from hubbub.consumers import HubbubConsumer
from hubbub.delivery.recovery import Changes, Recovery, StreamPosition
from hubbub.protocol import ErrorCode, Ok, Refused
from hubbub.runtime import runtime

JOIN_ATTEMPTS = 3

# Rooms that a socket resumes in parts at the same time; past that the count of the oldest starts anew.
MAX_RESUMING = 100

# Scopes of access tokens.
READ = "chat.read"
(WRITE,) = access.WRITE


class ChatConsumer(HubbubConsumer):
    """`/ws/chat/`"""

    commands: ClassVar[Any] = COMMANDS
    endpoint_scopes = frozenset({READ, WRITE})
    command_scopes: ClassVar[dict[type, str]] = {
        RoomJoin: READ,
        RoomLeave: READ,
        RoomHistory: READ,
        MessagePost: WRITE,
        MessageEdit: WRITE,
        MessageDelete: WRITE,
    }
    posts = (MessagePost, MessageEdit, MessageDelete)
    # Partial answers sent for each room since its last complete answer.
    _parts: dict[str, int] | None = None

    @property
    def body_chars(self) -> int:
        return conf.settings().body_chars

    def is_concurrent(self, command: Any) -> bool:
        # The batcher keeps the order of posts and saves concurrent posts in one transaction.
        return isinstance(command, MessagePost)

    async def handle(self, command: Any) -> Ok | None:
        user_id = self.identity.user_id
        match command:
            case RoomJoin():
                return await self._join(command)
            case RoomLeave(room=slug):
                self.leave(group_of(slug))
                return Ok()
            case RoomHistory(room=slug, before=before, after=after, around=around, limit=limit):
                return await threads.read(
                    history.read_history,
                    user_id=user_id,
                    slug=slug,
                    before=before,
                    after=after,
                    around=around,
                    limit=limit,
                )
            case MessagePost(room=slug, id=client_id, body=body):
                return await batcher().post(posting.Post(user_id, slug, client_id, body, self.identity))
            case MessageEdit(room=slug, seq=seq, body=body):
                return await threads.write(
                    services.edit_message, user_id=user_id, slug=slug, seq=seq, body=body, by=self.identity
                )
            case MessageDelete(room=slug, seq=seq):
                return await threads.write(
                    services.delete_message, user_id=user_id, slug=slug, seq=seq, by=self.identity
                )
        return await super().handle(command)

    async def _join(self, command: RoomJoin) -> Joined | None:
        """Enter the group, read the room, answer, then deliver the events since the read: no change is lost.

        Returns:
            A partial answer, with the room not joined yet; None if the complete answer was sent.
        """
        group = group_of(command.room)
        if not self.is_active(group):
            # Access first: the time of a subscription would reveal whether a forbidden room is in use.
            await threads.read(access.room_for, self.identity.user_id, command.room)
        try:
            for _ in range(JOIN_ATTEMPTS):
                await self.join_uncounted(group, ROOM_RECOVERY, presence_changed)
                joined = await threads.read(
                    history.open_room,
                    user_id=self.identity.user_id,
                    slug=command.room,
                    after=command.after,
                    epoch=command.epoch,
                    may_be_partial=self._may_send_part(command.room),
                    present_bytes=self._memberships.presence_bytes(group),
                    users_changed=runtime().revocation.changes_of_users,
                )
                if self.is_evicted(group):
                    raise access.room_not_found()
                self.check_number(group)  # After the access check: this refusal would reveal that the room exists.
                if joined.partial:
                    # A socket that was in the room leaves: a live event would be ahead of the partial answer.
                    self.leave(group)
                    self._count_part(command.room)
                    return joined
                if not self.must_read_again(group, joined.position):
                    self._forget_parts(command.room)
                    present = self.presence(group, history.room_for_present(joined))
                    self.answer(command, msgspec.structs.replace(joined, present=present))
                    self.go_live(group, joined.position, joined.epoch)
                    return None
        except Refused as refused:
            if refused.code == ErrorCode.NOT_FOUND:
                self.leave(group)  # Also a room that was joined before and is forbidden now.
            raise
        finally:
            self.abandon(group)
        raise Refused(ErrorCode.UNAVAILABLE, "the room is too busy to join; try again", retry_after_ms=1000)

    def _may_send_part(self, room: str) -> bool:
        return (self._parts or {}).get(room, 0) < conf.settings().resume_parts

    def _count_part(self, room: str) -> None:
        parts = self._parts = self._parts or {}
        parts[room] = parts.pop(room, 0) + 1
        if len(parts) > MAX_RESUMING:
            del parts[next(iter(parts))]

    def _forget_parts(self, room: str) -> None:
        if self._parts is not None and self._parts.pop(room, None) is not None and not self._parts:
            self._parts = None


async def _read_changes(group: str, after: int) -> Changes:
    return await threads.read(history.read_changes, group, after)


async def _read_positions(groups: list[str]) -> dict[str, StreamPosition]:
    return await threads.read(history.read_positions, groups)


async def _find_revoked(users: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    return await threads.read(history.find_revoked, users)


# The hub repairs rooms and checks access by these reads of the database.
ROOM_RECOVERY = Recovery(_read_changes, _read_positions, _find_revoked)
