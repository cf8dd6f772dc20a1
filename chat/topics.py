"""The topics of chat: each command becomes one call of a service, and each read one of history."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from chat import (
    access,
    conf,
    history,
    managing,
    members,
    posting,
    read_signals,
    reading,
    restoring,
    revocation,
    room_lists,
    services,
    typing_rights,
)
from chat.models import Room
from chat.models import database as database_of_chat
from chat.protocol import (
    HISTORY_DEFAULT,
    Changed,
    History,
    Limit,
    MessagePost,
    Number,
    OwnState,
    OwnStates,
    Posted,
    ReadReport,
    ReadState,
    RoomEntry,
    RoomPage,
    Slug,
    UnreadMark,
    Viewer,
)
from chat.room_protocol import (
    MEMBERS_DEFAULT,
    Member,
    MemberRole,
    MembersLimit,
    MembersPage,
    Place,
    RoomMade,
    RoomsPage,
    RoomTyping,
    Text,
    UserId,
    UserName,
)
from hubbub import BY_METHOD, SIGNED_IN, VIEW, Call, Refused, Topic, Watch, command, users
from hubbub.auth import Identity
from hubbub.topics import StreamPosition

MAX_PRESENT_TYPING = 100  # In larger rooms somebody always types: nothing to learn, and much to send.
BATCH_POSTS = 100  # Longer batches save little, and the first post of a batch waits for the last.


class RoomTopic(Topic, name="room", key=Slug):
    """`room/<slug>`: its messages and its changes, in order. Its position is in the room's row."""

    kind = "log"
    database = database_of_chat()
    permission = SIGNED_IN
    presence = True
    read_scope, write_scope = "chat.read", "chat.write"
    ended = "deleted"
    # As this topic has read it last.
    _room: Room | None = None

    def may_view(self, user: Any) -> bool:
        return access.find_room(users.id_of(user), self.key) is not None

    def enter(self, identity: Identity) -> Viewer:
        self._room, role = access.enter_room(identity.user_id, self.key)
        typing_rights.note_reader(self.key, identity.user_id, role == access.READER)
        typing_rights.note_archived(self.key, self._room.is_archived)
        read_seq, version = read_signals.entered(identity.user_id, self._room, role)
        return Viewer(
            role=role,
            manages=access.manages(identity.user_id, role),
            body_chars=conf.settings().body_chars,
            read_seq=read_seq,
            read_version=version,
        )

    def state(self) -> RoomPage:
        return history.latest_page(self._current(), self.page_bytes)

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]:
        return history.changes(self._current(), after, limit)

    def can_resume(self, after: int) -> bool:
        return history.can_resume(self._current(), after)

    def read_position(self) -> StreamPosition | None:
        room = self._room = self._room or history.read_room(self.key)
        return None if room is None else StreamPosition(room.epoch, room.position, room.access_version)

    @classmethod
    def read_positions(cls, keys: Collection[str]) -> Mapping[str, StreamPosition]:
        return history.read_positions(keys)

    @classmethod
    def renew_epoch(cls) -> None:
        """By the signal `epochs_renewed`: a room has its own."""

    @classmethod
    def denied(cls, users: Mapping[str, Collection[str]]) -> Mapping[str, Mapping[str, str]]:
        return revocation.denied_users({slug: {*user_ids} for slug, user_ids in users.items()})

    @command("message.post", permission=BY_METHOD, batch=BATCH_POSTS, arguments=MessagePost)
    @classmethod
    def post(cls, calls: Sequence[Call]) -> list[Posted | Refused]:
        return posting.save_posts(
            [
                posting.Post(call.user_id, call.topic.key, call.arguments.id, call.arguments.body, call.identity)
                for call in calls
            ]
        )

    @command("message.edit", permission=VIEW)
    def edit(self, user: Any, seq: Number, body: str) -> Changed:
        return services.edit_message(user_id=users.id_of(user), slug=self.key, seq=seq, body=body)

    @command("message.delete", permission=VIEW)
    def delete(self, user: Any, seq: Number) -> Changed:
        return services.delete_message(user_id=users.id_of(user), slug=self.key, seq=seq)

    @command("message.restore", permission=VIEW)
    def restore(self, user: Any, seq: Number, body: str) -> Changed:
        return restoring.restore_message(user_id=users.id_of(user), slug=self.key, seq=seq, body=body)

    @command(permission=VIEW, reads=True)
    def history(
        self,
        user: Any,
        before: Number | None = None,
        since: Number | None = None,
        around: Number | None = None,
        limit: Limit = HISTORY_DEFAULT,
    ) -> History:
        """Exactly one of `before`, `since` and `around`, each a seq."""
        return history.read_history(
            user_id=users.id_of(user), slug=self.key, before=before, since=since, around=around, limit=limit
        )

    @command("room.read", permission=BY_METHOD, batch=BATCH_POSTS, arguments=ReadReport)
    @classmethod
    def read(cls, calls: Sequence[Call]) -> list[ReadState | Refused]:
        return reading.mark_read(
            [
                reading.Report(call.user_id, call.topic.key, call.arguments.seq, call.arguments.version, call.identity)
                for call in calls
            ]
        )

    @command("room.unread", permission=BY_METHOD, batch=BATCH_POSTS, arguments=UnreadMark)
    @classmethod
    def unread(cls, calls: Sequence[Call]) -> list[ReadState | Refused]:
        return reading.mark_unread(
            [reading.Report(call.user_id, call.topic.key, call.arguments.seq, by=call.identity) for call in calls]
        )

    @command("room.mute", permission=VIEW)
    def mute(self, user: Any, on: bool) -> OwnState:
        return reading.prefer(users.id_of(user), self.key, muted=on)

    @command("room.favourite", permission=VIEW)
    def favourite(self, user: Any, on: bool) -> OwnState:
        return reading.prefer(users.id_of(user), self.key, favourite=on)

    @command("room.typing", permission=VIEW, told=True, max_present=MAX_PRESENT_TYPING)
    def typing(self, user: Any) -> None:
        if typing_rights.may_type(self.key, user.id):
            self.tell(RoomTyping(user=user))

    @command("room.change", permission=VIEW)
    def change(
        self,
        user: Any,
        title: Text | None = None,
        description: Text | None = None,
        private: bool | None = None,
        archived: bool | None = None,
    ) -> Changed:
        position = managing.change_room(
            user_id=users.id_of(user),
            slug=self.key,
            title=title,
            description=description,
            is_private=private,
            is_archived=archived,
        )
        return Changed(position=position)

    @command("room.leave", permission=VIEW)
    def leave_room(self, user: Any) -> None:
        managing.leave_room(user_id=users.id_of(user), slug=self.key)

    @command("room.return", permission=VIEW)
    def return_to_room(self, user: Any) -> None:
        managing.return_to_room(user_id=users.id_of(user), slug=self.key)

    @command("room.members", permission=VIEW, reads=True)
    def members(self, user: Any, place: Place | None = None, limit: MembersLimit = MEMBERS_DEFAULT) -> MembersPage:
        return members.list_members(user_id=users.id_of(user), slug=self.key, after=place, limit=limit)

    @command("member.invite", permission=VIEW)
    def invite(self, user: Any, name: UserName) -> Member:
        return members.invite_member(user_id=users.id_of(user), slug=self.key, name=name)

    @command("member.remove", permission=VIEW)
    def remove_member(self, user: Any, member: UserId) -> None:
        members.remove_member(user_id=users.id_of(user), slug=self.key, member_id=member)

    @command("member.role", permission=VIEW)
    def set_role(self, user: Any, member: UserId, role: MemberRole) -> Member:
        return members.set_role(user_id=users.id_of(user), slug=self.key, member_id=member, role=role)

    def _current(self) -> Room:
        """The room, as read by `enter` or `read_position`."""
        assert self._room is not None
        return self._room


class RoomsTopic(Watch, name="rooms"):
    """`rooms`: the rooms of a user, with their last words: for a sidebar, the lobby, a badge."""

    watches = RoomTopic
    permission = SIGNED_IN
    read_scope = "chat.read"

    @classmethod
    def keys_for(cls, user_ids: Collection[str], among: Collection[str] | None) -> Mapping[str, Collection[str]]:
        return room_lists.slugs_for(user_ids, among)

    @classmethod
    def access_marks(cls, keys: Collection[str]) -> Mapping[str, Any]:
        return room_lists.access_marks(keys)

    @classmethod
    def summaries(cls, keys: Collection[str]) -> Mapping[str, RoomEntry]:
        return room_lists.entries(keys)


class PersonTopic(Topic, name="person", key=str):
    """`person/<user id>`: the user's own state of each room, on all pages and devices of the user."""

    kind = "log"
    database = database_of_chat()
    permission = SIGNED_IN
    personal = True
    read_scope = "chat.read"

    def may_view(self, user: Any) -> bool:
        return bool(users.id_of(user) == self.key)

    def state(self) -> OwnStates:
        return OwnStates(rooms=reading.states_of(self.key))

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]:
        return reading.changes_of(self.key, after, limit)


class LobbyTopic(Topic, name="lobby"):
    """`lobby`: commands of no one room. It has no state."""

    permission = SIGNED_IN
    database = database_of_chat()
    read_scope, write_scope = RoomTopic.read_scope, RoomTopic.write_scope

    def state(self) -> None:
        """Nothing: lists of rooms are read by commands."""

    @command("room.create", permission=managing.ADD_ROOM, once=True)
    def create(
        self, user: Any, title: Text, slug: Text | None = None, description: Text = "", private: bool = False
    ) -> RoomMade:
        return managing.make_room(
            user_id=users.id_of(user), title=title, slug=slug, description=description, is_private=private
        )

    @command("rooms.browse", permission=VIEW, reads=True)
    def browse(self, user: Any, place: Place | None = None, limit: MembersLimit = MEMBERS_DEFAULT) -> RoomsPage:
        return managing.browse_rooms(user_id=users.id_of(user), after=place, limit=limit)
