"""`make demo`: a site with people, rooms and robots, in a database of its own."""

import asyncio
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from django.contrib.auth.models import Group

from chat import reading, validators
from chat.models import Membership, Message, PersonalState, Room
from hubbub.client import Client
from project.accounts.models import User
from project.demo import __main__, filling
from project.demo.busy import WEEKS
from project.demo.management.commands.demo import PASSWORD, password_for
from project.demo.people import ADMIN, BOT, PEOPLE, ROBOTS, SIGN_INS
from project.demo.rooms import BUSY, EMPTY, ROOMS
from project.demo.scenes import SCENES, Act, answer_to
from project.demo.talk import TALK
from tests.support.cluster import Cluster
from tests.support.servers import ROOT, fill

NOW = datetime(2026, 11, 17, 10, 42, 8, tzinfo=UTC)

ROBOT_SECONDS = 60.0


# What it fills


@pytest.fixture
def filled(db: None) -> None:
    filling.prepare(NOW)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_fill_makes_rooms_of_each_kind(filled: None) -> None:
    rooms = {room.slug: room for room in Room.objects.all()}
    assert 12 <= len(rooms) <= 20
    titles = [room.title for room in Room.objects.all()]
    assert titles.index("Project 2") + 1 == titles.index("Project 10")
    assert max(map(len, titles)) > 70
    assert (
        {room.is_private for room in rooms.values()} == {room.is_archived for room in rooms.values()} == {True, False}
    )
    assert rooms[EMPTY].last_seq == 0
    assert rooms[BUSY].last_seq > 2_000
    assert not User.objects.get(username=ADMIN).check_password("")
    assert Membership.objects.filter(room=rooms["releases"], role="moderator").exists()
    for room in rooms.values():
        assert room.messages.count() == room.last_seq
        assert room.position >= room.last_seq


@pytest.mark.slow
@pytest.mark.django_db
def test_messages_of_weeks_stand_in_the_order_of_their_times(filled: None) -> None:
    for room in Room.objects.all():
        times = list(room.messages.order_by("seq").values_list("at", flat=True))
        assert times == sorted(times), room.slug
        assert all(at < NOW for at in times)
    oldest = Message.objects.filter(room__slug=BUSY).earliest("at").at
    assert timedelta(weeks=WEEKS - 1) < NOW - oldest < timedelta(weeks=WEEKS + 1)
    assert Message.objects.exclude(edited_at=None).exists()
    assert set(Message.objects.exclude(deleted_at=None).values_list("deleted_by", flat=True)) == {"author", "moderator"}


@pytest.mark.slow
@pytest.mark.django_db
def test_people_have_unread_messages_favourites_and_muted_rooms(filled: None) -> None:
    amara = User.objects.get(username="amara")
    busy = Room.objects.get(slug=BUSY)
    assert reading.unread_of(str(amara.pk))[busy.pk] == 342
    assert PersonalState.objects.filter(user=amara, is_favourite=True).exists()
    assert PersonalState.objects.filter(user=amara, is_muted=True).exists()
    kofi = User.objects.get(username="kofi")
    assert reading.unread_of(str(kofi.pk)) == {}


@pytest.mark.slow
@pytest.mark.django_db
def test_two_fills_by_one_seed_are_the_same_at_any_time() -> None:
    filling.prepare(NOW)
    first = filling.content()
    _empty()
    filling.prepare(NOW + timedelta(days=3, hours=11))
    assert filling.content() == first
    _empty()
    filling.prepare(NOW, seed=filling.SEED + 1)
    assert filling.content()["messages"] != first["messages"]


def _empty() -> None:
    for model in (Message, Room, User, Group):
        model.objects.all().delete()


def test_all_texts_and_names_are_allowed() -> None:
    for said in (line for lines in TALK.values() for line in lines):
        assert validators.clean(said.text) == said.text
    for scene in SCENES:
        for act in islice(scene.acts("any"), 500):
            assert validators.clean(act.text) == act.text
            assert "{" not in act.text
    assert len({room.slug for room in ROOMS}) == len(ROOMS)
    assert {person.name for person in PEOPLE} >= {*SIGN_INS, *ROBOTS}
    assert not SIGN_INS.keys() & {*ROBOTS}, "nobody signs in as a robot"


# What it refuses


@pytest.mark.django_db
def test_a_database_with_other_people_is_refused_and_left_alone() -> None:
    User.objects.create_user("alice")
    with pytest.raises(filling.NotOurs, match="alice"):
        filling.prepare(NOW)
    assert list(User.objects.values_list("username", flat=True)) == ["alice"]
    assert not Group.objects.exists()


@pytest.mark.django_db
def test_a_database_with_messages_of_deleted_people_is_refused() -> None:
    room, _ = Room.objects.get_or_create(slug="general")  # Earlier tests may have emptied the tables.
    Message.objects.create(room=room, seq=1, body="hello", at=NOW, posted_position=1, position=1)
    with pytest.raises(filling.NotOurs, match="messages"):
        filling.prepare(NOW)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_filled_database_stays_as_it_is_also_with_a_person_who_signed_up(filled: None) -> None:
    User.objects.create_user("alice")
    before = filling.content()
    assert not filling.prepare(NOW + timedelta(days=1), seed=5)
    assert filling.content() == before


def test_the_database_of_another_site_is_refused() -> None:
    for url in ("postgres://hubbub:secret@db/hubbub", f"sqlite:///{ROOT}/var/hubbub.sqlite3"):
        with pytest.raises(SystemExit) as refusal:
            __main__.environment({"DATABASE_URL": url})
        assert "DATABASE_URL" in str(refusal.value)
        assert "secret" not in str(refusal.value)


def test_the_demo_has_a_folder_of_its_own_and_nothing_of_another_site() -> None:
    given = {"PATH": "/bin", "HUBBUB_PREFIX": "live", "HUBBUB_EMAIL_URL": "smtp://mail", "SECRET_KEY": "live"}
    made = __main__.environment(given)
    assert made["HUBBUB_VAR"] == f"{ROOT}/var/demo"
    assert made["DATABASE_URL"] == f"sqlite:///{ROOT}/var/demo/hubbub.sqlite3"
    assert made["PATH"] == "/bin"
    assert not made.keys() & {"HUBBUB_PREFIX", "HUBBUB_EMAIL_URL", "SECRET_KEY"}
    # Its children start with it.
    assert __main__.environment({"HUBBUB_VAR": "/x", "DATABASE_URL": "sqlite:////x/demo/hubbub.sqlite3"})


def test_the_known_password_is_for_this_machine_only() -> None:
    assert [password_for(host) for host in ("127.0.0.1", "localhost", "[::1]", "::1")] == [PASSWORD] * 4
    for host in ("0.0.0.0", "::", "192.168.1.7", "demo.example.org", ""):
        assert len(password_for(host)) >= 12


@pytest.mark.django_db
def test_a_password_that_is_the_same_leaves_browsers_signed_in() -> None:
    user = User.objects.create(username="amara")
    user.groups.add(Group.objects.create(name=filling.GROUP))
    filling.set_passwords("demo")
    first = User.objects.get().password
    filling.set_passwords("demo")
    assert User.objects.get().password == first
    filling.set_passwords("another")
    assert User.objects.get().check_password("another")


# Its robots


def test_robots_say_the_same_by_a_seed_at_the_pace_of_people() -> None:
    for scene in SCENES:
        acts = list(islice(scene.acts("18 0"), 200))
        assert acts == list(islice(scene.acts("18 0"), 200))
        assert acts != list(islice(scene.acts("19 0"), 200))
        assert {act.by for act in acts} <= {*ROBOTS}
        assert all(1 <= act.types <= 11 and act.reads > 0.5 for act in acts)
        assert any(act.corrected for act in acts)
        seconds = sum(act.reads + act.types for act in acts)
        assert 3 < seconds / len(acts) < 60


def test_a_person_gets_an_answer_of_a_robot() -> None:
    act = answer_to(random.Random(1), "Kofi {}")
    assert isinstance(act, Act)
    assert act.by in ROBOTS
    assert act.by != BOT


class DemoCluster(Cluster):
    """A run of `python -m project.demo`: its data is in the folder `demo` of HUBBUB_VAR."""

    command = ("-m", "project.demo")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "demo", is_new=True)
        self.env["HUBBUB_VAR"] = str(folder)

    def start(self) -> "DemoCluster":
        super().start()
        self.env = __main__.environment(self.env)  # From now on for commands on the demo's data.
        return self


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[DemoCluster]:
    with DemoCluster(tmp_path) as running:
        yield running


@pytest.mark.cluster
async def test_the_demo_starts_prints_names_and_its_robots_talk(demo: DemoCluster) -> None:
    assert "Filled the database of the demo." in demo.output
    assert demo.wait_for_line(r"^Sign in at (\S+) with the password demo as$")[1] == f"{demo.url}/"
    for name in SIGN_INS:
        demo.wait_for_line(rf"^  {name} ")
    assert await asyncio.to_thread(can_sign_in, demo.url, "amara", PASSWORD)
    assert not await asyncio.to_thread(can_sign_in, demo.url, "amara", "another")

    kofi = await asyncio.to_thread(demo.make_user, "kofi")
    robots = set(ROBOTS)
    names = {person.shown for person in PEOPLE if person.name in robots}
    address = f"{demo.url.replace('http', 'ws')}/ws/chat/"
    async with (
        asyncio.timeout(ROBOT_SECONDS),
        Client(address, token=kofi["token"]) as hub,
        hub.topic(f"room/{BUSY}") as room,
    ):
        typing = set()
        async for event in room:
            if event["type"] == "room.typing":
                typing.add(event["user"]["name"])
            if event["type"] == "message.posted" and event["message"]["user"]["name"] in typing:
                break
        assert typing <= names
        assert room.present
        assert names <= {user["name"] for user in room.present["users"]}
    assert demo.stop(signal.SIGINT) == 0
    assert demo.leftovers() == []
    complaints = [line for line in demo.output if "WARNING" in line or "ERROR" in line]
    assert [line for line in complaints if "sign_in_failed" not in line] == []


def can_sign_in(url: str, name: str, password: str) -> bool:
    opener = build_opener(HTTPCookieProcessor())
    with opener.open(f"{url}/account/sign-in/", timeout=20) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    form = urlencode({"csrfmiddlewaretoken": token[1], "username": name, "password": password}).encode()
    with opener.open(Request(f"{url}/account/sign-in/", form, {"Origin": url}), timeout=20) as answer:
        return bool(urlsplit(answer.url).path == "/")


@pytest.mark.cluster
def test_a_demo_on_the_database_of_another_site_stops_with_one_line(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "demo")
    fill(cluster.folder, "hubbub.sqlite3", {})
    cluster.make_user("alice")
    env = cluster.env | {"HUBBUB_VAR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "project.demo", "--port", "0"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "this database has people who are not of the demo: alice. The demo leaves it as it is." in ran.stderr
    assert "Traceback" not in ran.stderr
