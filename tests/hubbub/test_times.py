"""A site with USE_TZ off, in New York: the wire is in UTC, and expiries are compared as moments."""

import json
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from chat import access, bans, posting, services
from chat.ban_admin import DEFAULT_SPAN, BanForm
from chat.models import Membership, Message
from chat.serializers import message_change
from chat.topics import RoomTopic
from hubbub.auth import own_sign_in
from hubbub.auth.identity import identify_session, identify_token, renew
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.process import as_stored, utc
from hubbub.protocol import Refused, to_json
from hubbub.topics.frames import event_text
from monitor.snapshot import make_sample

pytestmark = pytest.mark.django_db(transaction=True)

NEW_YORK = ZoneInfo("America/New_York")
# Clocks go back from 02:00 to 01:00: the hour before is passed twice, from 05:00 and from 06:00 UTC.
TWICE = datetime(2026, 11, 1, 1, 30)


@pytest.fixture(autouse=True)
def naive(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    settings.USE_TZ = False
    assert timezone.is_naive(timezone.now())


def at_utc(hour: int, minute: int) -> datetime:
    return datetime(2026, 11, 1, hour, minute, tzinfo=UTC)


def near(moment: datetime, expected: datetime) -> bool:
    return abs(moment - expected) < timedelta(seconds=10)


# Moments


def test_a_naive_time_is_in_the_time_zone_of_the_site_not_in_that_of_a_user() -> None:
    with timezone.override("Asia/Tokyo"):
        assert utc(datetime(2026, 7, 1, 12)) == datetime(2026, 7, 1, 16, tzinfo=UTC)
        assert as_stored(datetime(2026, 7, 1, 16, tzinfo=UTC)) == datetime(2026, 7, 1, 12)
    assert utc(datetime(2026, 1, 1, 12)) == datetime(2026, 1, 1, 17, tzinfo=UTC)
    aware = datetime(2026, 7, 1, 12, tzinfo=NEW_YORK)
    assert utc(aware) is aware
    assert near(utc(timezone.now()), datetime.now(UTC))


def test_the_hour_that_is_passed_twice_means_its_first_pass() -> None:
    assert utc(TWICE) == at_utc(5, 30)
    assert utc(TWICE.replace(fold=1)) == at_utc(6, 30)  # As `datetime.now()` has it, before it is stored.
    assert utc(datetime(2026, 3, 8, 2, 30)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # A time that no clock shows.


def test_a_site_with_time_zones_has_its_times_as_before(settings: Any) -> None:
    settings.USE_TZ = True
    moment = datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert as_stored(moment) is moment
    assert as_stored(datetime(2026, 7, 1, 12)) == moment
    assert to_json({"at": datetime(2026, 7, 1, 12)}) == b'{"at":"2026-07-01T12:00:00"}'


# The wire


class Opened(msgspec.Struct, tag="opened"):
    at: datetime
    times: list[datetime]
    raw: msgspec.Raw
    names: dict[str, Any]


def test_all_times_in_a_frame_of_a_feature_are_in_utc() -> None:
    noon = datetime(2026, 7, 1, 12)
    aware = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
    frame = Opened(
        noon,
        [noon, aware],
        msgspec.Raw(b'{"a": 1}'),
        {"x": {"y": (noon, None, 1.5, uuid4(), b"b", {noon}, frozenset())}},
    )
    sent = json.loads(event_text("shop", frame))
    assert sent["type"] == "opened"
    assert (sent["at"], sent["times"]) == (
        "2026-07-01T16:00:00Z",
        ["2026-07-01T16:00:00Z", "2026-07-01T12:00:00+09:00"],
    )
    assert sent["raw"] == {"a": 1}
    assert sent["names"]["x"]["y"][:3] == ["2026-07-01T16:00:00Z", None, 1.5]
    assert sent["names"]["x"]["y"][5:] == [["2026-07-01T16:00:00Z"], []]


def test_times_of_a_message_are_in_utc(alice: Any) -> None:
    services.create_room(slug="tea", title="Tea")
    posted = posting.post_message(user_id=str(alice.pk), slug="tea", client_id=uuid4(), body="hello")
    assert near(datetime.fromisoformat(json.loads(to_json(posted))["at"]), datetime.now(UTC))
    services.edit_message(user_id=str(alice.pk), slug="tea", seq=1, body="bye")
    message = Message.objects.select_related("author").get()
    assert timezone.is_naive(message.at)
    state = json.loads(event_text("room/tea", message_change(message)[1]))["message"]
    assert [near(datetime.fromisoformat(state[name]), datetime.now(UTC)) for name in ("at", "edited_at")] == [
        True,
        True,
    ]
    assert message.at_utc == utc(message.at)
    topic = RoomTopic("tea")
    assert topic.read_position() is not None
    [again] = json.loads(to_json(topic.state()))["messages"]
    assert again["at"] == state["at"]


def test_a_sample_of_the_dashboard_is_in_utc() -> None:
    sample = make_sample([], epoch=1, seq=1, at=datetime(2026, 7, 1, 16, tzinfo=UTC).timestamp(), stale_seconds=5)
    assert json.loads(event_text("metrics", sample))["at"] == "2026-07-01T16:00:00Z"


# Expiries


def test_a_token_ends_at_its_moment_also_when_clocks_go_back(alice: Any) -> None:
    token = AccessToken(user=alice, expires_at=TWICE)
    assert token.is_usable(at_utc(5, 29))
    assert not token.is_usable(at_utc(5, 31))
    # A clock shows 01:10 again.
    assert not token.is_usable(at_utc(6, 10))
    assert not token.is_usable(TWICE.replace(minute=10, fold=1))


@pytest.mark.parametrize("is_naive", [True, False])
def test_a_token_signs_in_until_its_expiry(alice: Any, is_naive: bool) -> None:
    now = timezone.now() if is_naive else datetime.now(UTC)
    token, text = create_token(user=alice, name="t", expires_at=now + timedelta(seconds=0.5), scopes=[])
    assert timezone.is_naive(AccessToken.objects.get().expires_at)
    identity = identify_token(text, None)
    assert identity is not None
    assert identity.expires_at == utc(now) + timedelta(seconds=0.5)
    assert renew([identity], None) == {identity: identity}
    assert (token.state, AccessToken.objects.usable().count()) == ("usable", 1)
    time.sleep(max(0, (identity.expires_at - datetime.now(UTC)).total_seconds()) + 0.01)
    assert (token.state, AccessToken.objects.usable().count()) == ("expired", 0)
    assert identify_token(text, None) is None
    assert renew([identity], None) == {identity: None}
    assert identity.has_expired(datetime.now(UTC))


def test_a_session_signs_in_until_its_expiry(alice: Any) -> None:
    session = SessionStore()
    session[SESSION_KEY] = str(alice.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = alice.get_session_auth_hash()
    session.save()
    key = session.session_key or ""
    identity = identify_session(key, None)
    assert identity is not None
    assert identity.expires_at is not None
    assert near(identity.expires_at, datetime.now(UTC) + timedelta(days=14))
    assert renew([identity], None) == {identity: identity}
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert identify_session(key, None) is None
    assert renew([identity], None) == {identity: None}
    # Each sends a hint, or none, by the expiry.
    row = Session.objects.get()
    row.save()
    row.delete()


def test_an_expiry_of_a_projects_own_sign_in_is_a_moment() -> None:
    moment = datetime(2030, 7, 1, 16, tzinfo=UTC)
    for given in (moment, moment.timestamp(), datetime(2030, 7, 1, 12)):
        assert own_sign_in.time_of(given) == moment


def test_the_command_prints_times_in_utc(alice: Any) -> None:
    create_token(user=alice, name="t", expires_at=datetime(2036, 7, 1, 12), scopes=[])
    printed = StringIO()
    call_command("token", "list", stdout=printed)
    assert "2036-07-01 16:00 UTC" in printed.getvalue()


# Bans


def test_a_ban_lasts_until_its_end(alice: Any) -> None:
    room = services.create_room(slug="tea", title="Tea")
    ids = {"room_id": room.pk, "user_id": str(alice.pk)}
    bans.ban_user(**ids, until=timezone.now() + timedelta(seconds=0.5))
    assert Membership.objects.get().is_banned
    assert access.bans_in(room).count() == 1
    with pytest.raises(Refused, match="not found"):
        access.enter_room(str(alice.pk), "tea")
    time.sleep(0.51)
    assert access.enter_room(str(alice.pk), "tea")[0] == room
    bans.ban_user(**ids, until=timezone.now() + timedelta(days=1))
    ban = Membership.objects.get()
    assert bans.end_of(ban) == f"{ban.banned_until:%Y-%m-%d %H:%M} {timezone.localtime(utc(timezone.now())):%Z}"
    bans.lift_ban(**ids, seen=[bans.version_of(ban)])
    access.enter_room(str(alice.pk), "tea")


def test_the_end_that_a_browser_sends_in_utc_is_stored_in_the_time_of_the_site(alice: Any) -> None:
    sent = {
        "user": alice.get_username(),
        "span": "until",
        "until": "2036-07-01T18:00",
        "until_utc": "2036-07-01T16:00:00Z",
    }
    form = BanForm(sent, choices=[], bans_of={})
    assert form.is_valid(), form.errors
    assert form.ends_at == datetime(2036, 7, 1, 12)
    sent.pop("until_utc")
    form = BanForm(sent, choices=[], bans_of={})
    assert form.is_valid(), form.errors
    assert form.ends_at == datetime(2036, 7, 1, 18)
    proposed = BanForm(choices=[], bans_of={}).fields["until"].widget.attrs["data-proposed"]
    assert near(datetime.fromisoformat(proposed), datetime.now(UTC) + DEFAULT_SPAN)
