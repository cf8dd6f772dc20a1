"""System checks of topics: each finds what it is for, and says nothing of good topics."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.db import connections

from hubbub import PUBLIC, SIGNED_IN, VIEW, Topic, TopicConsumer, command, live
from hubbub.auth import tokens
from hubbub.topics import topic as registry
from hubbub.topics.commands import BadDeclaration
from tests.support.polls.models import Poll


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, type[Topic]]:
    """Only the topics of the test."""
    settings.ASGI_APPLICATION = "tests.support.declarations.application"
    monkeypatch.setattr(registry, "_topics", {})
    monkeypatch.setattr(tokens, "_declared", {})
    return registry._topics


def found() -> list[str]:
    return [str(message.id) for message in run_checks(tags=["hubbub"])]


def messages() -> str:
    return "\n".join(str(message) for message in run_checks(tags=["hubbub"]))


def declare(served: bool = True, **attributes: Any) -> type[Topic]:
    """Declare a topic that all users may see, on a consumer of its own."""
    body = {"permission": SIGNED_IN, "state": lambda self: None, "__module__": __name__, **attributes}
    topic: type[Topic] = type(Topic)("LampTopic", (Topic,), body, name="lamp")  # type: ignore[call-arg]
    if served:
        topic.consumer_of_the_test = live(topic)  # type: ignore[attr-defined]  # Kept as long as the topic.
    return topic


def test_a_good_topic_passes() -> None:
    declare(permission="polls.view_poll", vote=command(permission="polls.add_vote")(named_vote))
    assert found() == []


# Consumers


@pytest.fixture
def asgi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Path]:
    """The file of an ASGI application that no command has imported yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.ASGI_APPLICATION = "lamp_asgi.application"
    yield tmp_path / "lamp_asgi.py"
    sys.modules.pop("lamp_asgi", None)


def test_a_topic_on_no_consumer_is_found(asgi: Path) -> None:
    asgi.write_text("application = print\n")
    declare(served=False)
    assert found() == ["hubbub.W016"]
    assert f"{__name__}.LampTopic: no consumer has this topic" in messages()
    assert "live(LampTopic).as_asgi()" in messages()


def test_a_topic_on_a_consumer_of_any_depth_is_served() -> None:
    topic = declare(served=False)

    class LampConsumer(TopicConsumer):
        topics = [topic]

    class BrightLampConsumer(LampConsumer):
        topics: Any = ()

    assert found() == []
    assert BrightLampConsumer.topics == ()


def test_a_consumer_that_only_the_application_has_is_found(asgi: Path) -> None:
    topic = declare(served=False)
    asgi.write_text(
        "from hubbub import live\nfrom hubbub.topics.topic import topics\napplication = live(topics()['lamp'])\n"
    )
    assert found() == []
    assert topic.name == "lamp"


def test_two_topics_of_one_name_on_one_endpoint_are_an_error(asgi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = [declare(served=False), declare(served=False)]
    line = f"LiveConsumer: two topics have the name 'lamp': {__name__}.LampTopic and {__name__}.LampTopic"
    with pytest.raises(BadDeclaration, match=rf"^{line}; each topic has its own \({__name__}, line \d+\)$"):
        live(*twins)
    monkeypatch.setattr(registry, "twins", twins, raising=False)
    asgi.write_text("from hubbub import live\nfrom hubbub.topics.topic import twins\napplication = live(*twins)\n")
    [error] = run_checks(tags=["hubbub"])
    assert (error.id, error.msg) == ("hubbub.E023", f"{line}; each topic has its own (lamp_asgi, line 3).")


def test_an_endpoint_has_topics_and_nothing_else() -> None:
    topic = declare()
    live(topic, topic)
    with pytest.raises(
        BadDeclaration,
        match=r"^LiveConsumer: topics=\[.*LampTopic'>\]: subclasses of Topic are allowed \(\S+, line \d+\)$",
    ):
        live([topic])  # type: ignore[arg-type]


@pytest.mark.parametrize("served", [True, False])
def test_an_application_that_cannot_be_imported_is_one_error(asgi: Path, served: bool) -> None:
    """Whether its topics have a consumer is not known then."""
    topic = declare(served=served)
    assert not asgi.exists()
    assert messages().splitlines()[0] == (
        "?: (hubbub.E015) ASGI_APPLICATION='lamp_asgi.application': there is no module 'lamp_asgi'."
    )
    assert found() == ["hubbub.E015"]
    assert topic.name == "lamp"


def test_warnings_of_the_application_are_left_to_servers(asgi: Path) -> None:
    asgi.write_text("import warnings\nwarnings.warn('no folder of static files')\napplication = print\n")
    declare()
    assert found() == []


# Permissions


@pytest.mark.django_db
def test_a_permission_that_nobody_has_is_found() -> None:
    declare(permission="polls.vew_poll", vote=command(permission="nowhere.vote")(named_vote))
    assert found() == ["hubbub.W017", "hubbub.W017"]
    assert "LampTopic: permission='polls.vew_poll' is neither" in messages()
    assert "LampTopic.vote: permission='nowhere.vote' is neither" in messages()


def named_vote(self: Any, user: Any) -> None:
    pass


named_vote.__name__ = "vote"


@pytest.mark.django_db
def test_a_permission_that_was_made_by_hand_is_known() -> None:
    declare(permission="polls.dim_lamps")
    assert found() == ["hubbub.W017"]
    content_type = ContentType.objects.get(app_label="polls", model="poll")
    Permission.objects.create(content_type=content_type, codename="dim_lamps", name="Can dim lamps")
    assert found() == []


def test_permissions_in_words_are_known() -> None:
    declare(permission=PUBLIC, vote=command(permission=VIEW)(named_vote))
    assert found() == []


# Databases


def database(monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Change the settings of the database: connections are not made again."""
    for name, value in options.items():
        monkeypatch.setitem(connections["default"].settings_dict, name, value)


def test_atomic_requests_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    database(monkeypatch, ATOMIC_REQUESTS=True)
    assert found() == []
    declare()
    assert found() == ["hubbub.W018"]
    assert "LampTopic" in messages()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["hubbub.W019"]),
        ({"transaction_mode": None}, ["hubbub.W019"]),
        ({"transaction_mode": "deferred"}, ["hubbub.W019"]),
        ({"transaction_mode": "IMMEDIATE"}, []),
        ({"transaction_mode": "exclusive"}, []),
    ],
)
def test_transactions_of_sqlite_that_begin_without_the_lock(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: list[str]
) -> None:
    database(monkeypatch, OPTIONS=options)
    monkeypatch.setattr(connections["default"], "vendor", "sqlite")
    declare()
    assert found() == expected


@pytest.mark.parametrize("vendor", ["mysql", "oracle"])
def test_a_database_without_positions_is_an_error(monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    monkeypatch.setattr(connections["default"], "vendor", vendor)
    declare()
    assert found() == ["hubbub.E012"]
    assert f"DATABASES['default'] is {vendor}" in messages()


def test_a_database_that_does_not_exist_is_an_error() -> None:
    declare(database="lamps")
    assert found() == ["hubbub.E013"]
    assert "LampTopic: database='lamps' is not in DATABASES" in messages()


def test_a_newest_needs_no_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    database(monkeypatch, ATOMIC_REQUESTS=True)
    declare(kind="newest")
    assert found() == []


def test_rows_on_another_database_than_the_positions_are_found(settings: Any) -> None:
    declare(follows={Poll: lambda poll: None})
    assert found() == []
    settings.DATABASE_ROUTERS = ["tests.hubbub.test_topic_checks.Elsewhere"]
    assert found() == ["hubbub.W020"]
    assert "LampTopic: follows polls.Poll of database 'elsewhere', with positions in 'default'" in messages()


class Elsewhere:
    """A router that puts polls into another database."""

    def db_for_write(self, model: type, **_: Any) -> str | None:
        return "elsewhere" if model is Poll else None


class Apart:
    """A router that puts users, but not their tokens, into another database."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return "elsewhere" if model._meta.app_label in {"accounts", "auth"} else None


class Closed:
    """A router that lets the engine's tables into no database but one that is not used."""

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        return db == "elsewhere" if app_label == "hubbub" else None


def test_tokens_and_other_keys_in_another_database_than_the_users_are_found(settings: Any) -> None:
    declare()
    settings.DATABASE_ROUTERS = ["tests.hubbub.test_topic_checks.Apart"]
    ids = found()
    assert ids.count("hubbub.E014") == 1
    assert "keep hubbub.AccessToken out of the database 'elsewhere', where it is needed beside the users" in messages()
    # Of models with a foreign key to users: votes, readers of diaries, members, messages, log entries.
    assert {*ids} == {"hubbub.E014", "hubbub.W021"}
    assert "polls.Vote.user: refers to users of database 'elsewhere' from database 'default'" in messages()
    assert "polls.Diary_readers.user" in messages()
    assert "AccessToken.user" not in messages()


def test_tables_that_the_routers_keep_out_of_the_database_of_a_topic_are_found(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.hubbub.test_topic_checks.Closed"]
    assert found() == ["hubbub.E014"] * 2  # The tokens and the id of the site; a site without topics has no positions.
    declare(raise_lamp=command(permission=SIGNED_IN, once=True)(named_vote))
    for model in ("TopicPosition", "TopicEpoch", "TopicOnce"):
        assert f"keep hubbub.{model} out of the database 'default', where it is needed by LampTopic" in messages()
    assert found() == ["hubbub.E014"] * 5


# Scopes


def test_scopes_of_topics_need_no_setting(settings: Any) -> None:
    settings.HUBBUB = {key: value for key, value in settings.HUBBUB.items() if key != "TOKEN_SCOPES"}
    assert found() == ["hubbub.W012"]
    declare()
    assert "hubbub.W012" not in found()
    settings.HUBBUB = settings.HUBBUB | {"TOKEN_SCOPES": {}}
    assert "hubbub.W012" not in found()
