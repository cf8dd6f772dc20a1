"""A site with routers: users in a second database, and reads of them routed to a copy that is old."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import OperationalError, connections, transaction
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from chat import access, history, posting, services
from chat.models import Message, Room
from chat.topics import RoomTopic
from hubbub import publish, threads
from hubbub.auth import tokens
from hubbub.auth.identity import Identity, identify_session, identify_token, renew, with_permission
from hubbub.models import AccessToken, SiteIdentity
from hubbub.process import primary_reads
from hubbub.protocol import Refused
from hubbub.queries import database_of, read_users, rows_by
from hubbub.signals import user_renamed
from tests.support.polls.topics import BoardTopic
from tests.support.routers import PEOPLE, REPLICA, copy_to_replica, databases
from tests.support.scopes import session_of

pytestmark = pytest.mark.django_db(transaction=True)

VIEW_POLL = "polls.view_poll"


@pytest.fixture(autouse=True)
def routed(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(RoomTopic, "database", PEOPLE)
    with databases(tmp_path, settings):
        primary_reads.install()
        yield


@pytest.fixture
def ada() -> Any:
    """A user in the second database, with the permission to see polls. The replica has a copy of this user alone."""
    users: Any = get_user_model()
    user = users.objects.create_user("ada", password="x")
    content_type = ContentType.objects.using(PEOPLE).create(app_label="polls", model="poll")
    user.user_permissions.add(
        Permission.objects.using(PEOPLE).create(codename="view_poll", name="-", content_type=content_type)
    )
    copy_to_replica()
    return user


def identity_of(user: Any) -> Identity:
    client = Client()
    client.force_login(user)
    identity = identify_session(session_of(client), VIEW_POLL)
    assert identity is not None
    return identity


def renewed(identity: Identity) -> Identity | None:
    """As a reader thread checks it again."""
    with primary_reads.reading():
        return renew([identity], VIEW_POLL)[identity]


def test_a_session_and_a_token_of_the_second_database_sign_in(ada: Any) -> None:
    """The replica has neither, and the default database has no users at all."""
    identity = identity_of(ada)
    assert (identity.user_id, identity.permitted) == (str(ada.pk), True)
    token, text = tokens.create_token(user=ada, name="test", expires_at=None, scopes=[])
    assert token._state.db == PEOPLE
    assert not AccessToken.objects.exists()  # In the replica.
    call_command("token", "list", stdout=(printed := StringIO()))
    assert str(token.pk) in printed.getvalue()
    by_token = identify_token(text, None)
    assert by_token is not None
    assert by_token.user_id == str(ada.pk)
    assert renewed(identity) == identity


def test_a_session_that_only_the_replica_has_ends(ada: Any) -> None:
    identity = identity_of(ada)
    copy_to_replica()
    Session.objects.using(PEOPLE).all().delete()
    assert Session.objects.exists()  # As a page reads it.
    assert renewed(identity) is None


def test_a_permission_that_only_the_replica_has_is_gone(ada: Any) -> None:
    identity = identity_of(ada)
    ada.user_permissions.clear()
    now = renewed(identity)
    assert now is not None
    assert not now.permitted
    assert list(with_permission({identity.user_id}, VIEW_POLL)) == []  # As a view asks it.
    with primary_reads.reading():
        again = identify_session(identity.session_key or "", VIEW_POLL)
    assert again is not None
    assert not again.permitted


def test_a_token_and_an_account_that_end_are_gone_though_the_replica_has_them(ada: Any) -> None:
    token, text = tokens.create_token(user=ada, name="test", expires_at=None, scopes=[])
    identity = identify_token(text, None)
    assert identity is not None
    copy_to_replica()
    tokens.revoke_token(token)
    assert identify_token(text, None) is None
    assert renewed(identity) is None
    get_user_model()._base_manager.using(PEOPLE).update(is_active=False)
    assert not read_users([ada.pk])[ada.pk].is_active


def test_a_manager_of_the_teams_own_reads_the_primary(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    users: Any = get_user_model()
    manager = type(users._default_manager)
    monkeypatch.setattr(manager, "get_queryset", lambda self: QuerySet(self.model, using=self._db))
    get_user_model()._base_manager.using(PEOPLE).update(is_active=False)
    assert not read_users([ada.pk])[ada.pk].is_active


async def test_threads_of_the_engine_read_the_primary() -> None:
    """Also what a feature asks there, such as `may_view`, and what a command asks that a view has called."""
    users: Any = get_user_model()

    def alias() -> str:
        return str(users.objects.all().db)

    assert (alias(), await threads.read(alias), await threads.write(alias), alias()) == (
        REPLICA,
        PEOPLE,
        PEOPLE,
        REPLICA,
    )
    assert await threads.topic_writers().run(alias) == PEOPLE


def test_a_command_from_a_view_asks_the_primary(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    users: Any = get_user_model()
    monkeypatch.setattr(BoardTopic, "may_view", lambda self, user: seen.append(users.objects.all().db) or True)
    BoardTopic("plan").add(ada, text="a")
    assert seen == [PEOPLE]
    assert users.objects.all().db == REPLICA


def test_no_router_means_the_default_database(settings: Any) -> None:
    settings.DATABASE_ROUTERS = []
    assert database_of(get_user_model()) == "default"
    primary_reads.install()
    with primary_reads.reading():
        assert get_user_model()._base_manager.all().db == "default"


# After the commit


@pytest.fixture
def rechecked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []
    monkeypatch.setattr(publish.process_sender, "put_recheck", lambda group, ids: asked.append([*ids]))
    return asked


def test_a_hint_waits_for_the_commit_of_the_users_database(ada: Any, rechecked: list[Any]) -> None:
    names: list[str] = []

    def note(name: str, **_: Any) -> None:
        names.append(name)

    user_renamed.connect(note)
    try:
        with transaction.atomic(using=PEOPLE):
            ada.username = "ada-2"
            ada.save(using=PEOPLE)
            assert (names, rechecked) == ([], [])
        assert (names, rechecked) == (["ada-2"], [[str(ada.pk)]])
    finally:
        user_renamed.disconnect(note)


@pytest.mark.parametrize("is_rolled_back", [False, True])
def test_each_change_of_a_right_is_one_hint_after_its_commit(
    ada: Any, rechecked: list[Any], is_rolled_back: bool
) -> None:
    with transaction.atomic(using=PEOPLE):
        ada.user_permissions.clear()
        Group.objects.using(PEOPLE).create(name="g").delete()
        assert rechecked == []
        transaction.set_rollback(is_rolled_back, using=PEOPLE)
    assert rechecked == ([] if is_rolled_back else [[str(ada.pk)], [None]])


# The chat beside its users


def test_a_post_a_ban_and_a_page_of_the_chat_in_the_second_database(ada: Any) -> None:
    services.create_room(slug="tea", title="Tea")
    posted = posting.post_message(user_id=str(ada.pk), slug="tea", client_id=uuid4(), body="hello")
    assert posted.seq == 1
    [message] = rows_by(Message, author_id=[ada.pk])
    assert message._state.db == PEOPLE
    room, role = access.enter_room(str(ada.pk), "tea")
    assert (room.last_seq, role) == (1, "member")
    with primary_reads.reading():
        assert [row.body for row in history.latest_page(room, 10_000).messages] == ["hello"]
    services.edit_message(user_id=str(ada.pk), slug="tea", seq=1, body="bye")
    assert not Room.objects.exists()  # In the replica.
    copy_to_replica()  # Django itself looks there for the objects that a form refers to.
    until = timezone.now() + timedelta(days=1)
    services.set_membership(room_id=room.pk, user_id=str(ada.pk), role="none", banned_until=until)
    with pytest.raises(Refused, match="not found"):
        access.enter_room(str(ada.pk), "tea")


def test_a_failed_service_of_the_chat_undoes_its_write(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = services.create_room(slug="tea", title="Tea")
    monkeypatch.setattr(services, "room_change", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.change_room(room_id=room.pk, title="Coffee")
    assert Room.objects.using(PEOPLE).get().title == "Tea"
    assert not connections[PEOPLE].in_atomic_block


# Probes


class Engine:
    """A router that puts the engine's tables into a second database."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return PEOPLE if model._meta.app_label == "hubbub" else None


def test_a_probe_asks_the_databases_of_the_engine_and_of_the_users(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threads.databases() == ["default", PEOPLE]
    threads._select_one()

    def fail() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connections[PEOPLE], "cursor", fail)
    with pytest.raises(OperationalError, match="away"):
        threads._select_one()
    settings.DATABASE_ROUTERS = ["tests.hubbub.test_databases.Engine"]
    assert threads.databases() == [PEOPLE, "default"]
    assert database_of(SiteIdentity) == PEOPLE
