"""A topic that cannot work is refused at import, in a message that says what to change."""

import importlib
import re
import sys
import uuid
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from hubbub import PUBLIC, SIGNED_IN, VIEW, Topic, command
from hubbub.auth.tokens import known_scopes
from hubbub.topics import topic as registry
from tests.support.declarations import declare, nothing, refusal
from tests.support.polls.models import Poll

pytestmark = pytest.mark.usefixtures("declared")


def test_a_good_declaration_is_taken_with_its_scopes(declared: dict[str, type[Topic]]) -> None:
    topic = declare("thing.of-mine_2", key=int)
    assert declared["thing.of-mine_2"] is topic
    assert topic(7).address == "thing.of-mine_2/7"
    assert {name for name in known_scopes() if name.startswith("thing.")} == {"thing.of-mine_2.read"}

    def change(self: Any, user: Any) -> None: ...

    declare("thing.to-change", key=int, change=command(permission=VIEW)(change))
    assert "thing.to-change.write" in known_scopes()


# Topics

DICTIONARY = "a dictionary of models, each with a function from a row to the key"
PERMISSION = "a permission is 'app.codename', SIGNED_IN or PUBLIC"


async def asynchronous(self: Any, *arguments: Any) -> Any:
    return True


async def asynchronous_pages(self: Any, after: int, limit: int) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [
        pytest.param({"permission": None}, ["permission=None", PERMISSION, "define `def may_view"], id="no permission"),
        pytest.param({"permission": "polls"}, ["permission='polls'", PERMISSION], id="no app in the permission"),
        pytest.param({"permission": "polls."}, ["permission='polls.'", PERMISSION], id="no codename"),
        pytest.param({"permission": "a.b.c"}, ["permission='a.b.c'", PERMISSION], id="two dots"),
        pytest.param({"permission": True}, ["permission=True", PERMISSION], id="a permission that is no text"),
        pytest.param({"permission": VIEW}, ["permission=<Access.VIEW", PERMISSION], id="to view by who may view"),
        pytest.param({"name": ""}, ["name=''", 'class ThingTopic(Topic, name="…")', "abstract=True"], id="no name"),
        pytest.param({"name": "Poll"}, ["name='Poll'", "small letter"], id="a capital in the name"),
        pytest.param({"name": "poll/7"}, ["name='poll/7'", "small letter"], id="a slash in the name"),
        pytest.param({"name": "7poll"}, ["name='7poll'", "small letter"], id="a number at the start"),
        pytest.param({"name": "p" * 41}, ["name='ppp", "39"], id="a long name"),
        pytest.param({"name": 7}, ["name=7", "small letter"], id="a name that is no text"),
        pytest.param(
            {"name": "poll"}, ["name='poll'", "tests.support.polls.topics.PollTopic has this name"], id="a name twice"
        ),
        pytest.param({"state": ...}, ["state=None", "def state(self)"], id="no state"),
        pytest.param({"kind": "log"}, ["changes=None", "def changes(self, after, limit)"], id="a log without changes"),
        pytest.param(
            {"changes": lambda self, after, limit: []}, ["kind='state'", '"log"'], id="changes of what is no log"
        ),
        pytest.param({"kind": "list"}, ["kind='list'", "'state', 'log', 'newest'"], id="unknown kind"),
        pytest.param({"follows": {str: len}}, ["follows=<class 'str'>", DICTIONARY], id="follows what is no model"),
        pytest.param({"follows": {"polls.Poll": len}}, ["follows='polls.Poll'", DICTIONARY], id="follows a text"),
        pytest.param({"follows": [Poll]}, ["follows=[<class", DICTIONARY], id="follows a list"),
        pytest.param({"follows": {Poll: "pk"}}, ["follows[Poll]='pk'", "no function"], id="no function to the key"),
        pytest.param(
            {"follows": {Poll: len}, "kind": "log", "changes": lambda self, after, limit: []},
            ["follows={", "only a state follows models", "'log'"],
            id="a log that follows",
        ),
        pytest.param({"follows": {Poll: len}, "kind": "newest"}, ["follows={", "'newest'"], id="newest that follows"),
        pytest.param({"key": Poll}, ["key=<class", "a key is an int, a str, a UUID"], id="a model as key"),
        pytest.param({"key": list[int]}, ["key=list[int]", "a key is an int"], id="a list as key"),
        pytest.param({"key": tuple[int, ...]}, ["key=tuple[int, ...]", "tuple[int, str]"], id="a tuple of any length"),
        pytest.param({"key": tuple[int]}, ["key=tuple[int]", "tuple[int, str]"], id="a tuple of one"),
        pytest.param({"key": tuple[()]}, ["key=tuple[()]", "tuple[int, str]"], id="an empty tuple"),
        pytest.param({"key": tuple[int, float]}, ["key=tuple[int, float]", "a key is an int"], id="a float in a tuple"),
        pytest.param({"key": tuple[int, tuple[int, str]]}, ["key=tuple[int, tuple", "of these"], id="nested tuples"),
        pytest.param({"key": int | str}, ["key=int | str", "a key is an int"], id="a key of two types"),
        pytest.param({"key": "int"}, ["key='int'", "a key is an int"], id="a text as key type"),
        pytest.param({"key": Any}, ["key=typing.Any", "a key is an int"], id="a key of any type"),
        pytest.param({"key": int, "personal": True}, ["personal=True", "def may_view"], id="personal, open to all"),
        pytest.param(
            {"key": int, "personal": True, "presence": True, "may_view": lambda self, user: True},
            ["presence=True", "personal"],
            id="alone",
        ),
        pytest.param({"personal": True}, ["personal=True", "has a key"], id="personal without a key"),
        pytest.param({"read_scope": "see it"}, ["read_scope='see it'", "'thing.read'"], id="two words as scope"),
        pytest.param({"write_scope": 1}, ["write_scope=1", "'thing.read'"], id="a scope that is no text"),
        pytest.param({"state": asynchronous}, ["state=<function", "`def` instead of `async def`"], id="async state"),
        pytest.param({"may_view": asynchronous}, ["may_view=<function", "instead of `async def`"], id="async may_view"),
        pytest.param({"viewer": asynchronous}, ["viewer=<function", "instead of `async def`"], id="async viewer"),
        pytest.param(
            {"kind": "log", "changes": asynchronous_pages}, ["changes=<function", "instead of"], id="async changes"
        ),
    ],
)
def test_a_bad_topic_is_refused(declared: dict[str, type[Topic]], attributes: dict[str, Any], parts: list[str]) -> None:
    before = dict(declared)
    message = refusal(lambda: declare(**attributes))
    assert message.startswith("ThingTopic: ")
    assert [part for part in parts if part not in message] == [], message
    assert declared == before


def test_an_unknown_word_in_the_class_line_is_refused() -> None:
    def misspelled() -> None:
        class ThingTopic(Topic, nane="thing"):
            permission = SIGNED_IN

    message = refusal(misspelled)
    assert message == "ThingTopic: nane: a topic takes name=, key=, abstract="


@pytest.mark.parametrize("permission", [SIGNED_IN, PUBLIC, "polls.view_poll", "polls.can-see"])
def test_a_permission_opens_a_topic(permission: Any) -> None:
    assert declare(permission=permission).permission == permission


def test_may_view_alone_opens_a_topic() -> None:
    assert declare(permission=None, may_view=lambda self, user: False).permission is None


class Colour(Enum):
    RED = "red"


class Shade(str, Enum):  # noqa: UP042 - its format is its name, unlike that of a StrEnum
    DARK = "dark"


@pytest.mark.parametrize(
    ("key_type", "key", "address"),
    [
        (int, 7, "thing/7"),
        (str, "a b", "thing/a b"),
        (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], "a", "thing/a"),
        (uuid.UUID, uuid.UUID(int=1), "thing/00000000-0000-0000-0000-000000000001"),
        (Colour, Colour.RED, "thing/red"),
        (Shade, Shade.DARK, "thing/dark"),
        (Literal["left", "right"], "left", "thing/left"),
        (tuple[int, str], (7, "to do"), "thing/7/to do"),
        (tuple[int, str], (-7, ""), "thing/-7/"),
        (tuple[Shade, uuid.UUID, int], (Shade.DARK, uuid.UUID(int=1), 0), f"thing/dark/{uuid.UUID(int=1)}/0"),
        (str, "x" * 194, f"thing/{'x' * 194}"),
    ],
)
def test_a_key_is_read_from_its_address(
    declared: dict[str, type[Topic]], key_type: Any, key: Any, address: str
) -> None:
    topic = declare(key=key_type)
    assert topic(key).address == address
    found = registry.topic_at(address, declared)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    "address", ["thing/07/a", "thing/7", "thing/7/a/b", "thing/7/a/", "thing//a", "thing/a/7", "thing/7/a\n", "thing"]
)
def test_a_tuple_has_one_spelling(declared: dict[str, type[Topic]], address: str) -> None:
    declare(key=tuple[int, str])
    assert registry.topic_at(address, declared) is None


@pytest.mark.parametrize(
    ("key_type", "key", "problem"),
    [
        (int, "7", "key='7': a key of this topic is int"),
        (int, True, "key=True: a key of this topic is int"),
        (str, 7, "key=7: a key of this topic is str"),
        (str, "a\nb", "printable"),
        (str, "\ud800", "printable"),
        (Colour, "blue", "a key of this topic is Colour"),
        (uuid.UUID, str(uuid.UUID(int=1)), "a key of this topic is UUID"),
        (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], "A", "key='A'"),
        (int, object(), "a key of this topic is int"),
        (tuple[int, str], (7, "a/b"), 'is tuple[int, str], printable, without "/" in a part'),
        (tuple[int, str], (7,), "key=(7,)"),
        (tuple[int, str], [7, "a"], "key=[7, 'a']"),
        (tuple[int, str], ("7", "a"), "key=('7', 'a')"),
        (str, "x" * 195, "is too long: an address has up to 200 characters, not 201"),
        (tuple[int, str], (7, "x" * 193), "is too long: an address has up to 200 characters, not 201"),
    ],
)
def test_a_key_without_an_address_is_refused_in_python(key_type: Any, key: Any, problem: str) -> None:
    topic = declare(key=key_type)
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        topic(key)
    assert str(refused.value).startswith("thing: key=")


MODULE = """
from hubbub import SIGNED_IN, Topic

class LampTopic(Topic, name="lamp"):
    permission = SIGNED_IN

    def state(self):
        return "on"
"""


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "lamp_topics.py").write_text(MODULE)
    (tmp_path / "other_lamp_topics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("lamp_topics")
    for name in ("lamp_topics", "other_lamp_topics"):
        sys.modules.pop(name, None)


def test_a_module_may_be_loaded_again_and_its_new_class_counts(declared: dict[str, type[Topic]], lamp: Any) -> None:
    first = lamp.LampTopic
    again = importlib.reload(lamp).LampTopic
    assert again is not first
    assert declared["lamp"] is again


def test_another_module_may_not_take_the_name(declared: dict[str, type[Topic]], lamp: Any) -> None:
    message = refusal(lambda: importlib.import_module("other_lamp_topics"))
    assert message == "LampTopic: name='lamp': lamp_topics.LampTopic has this name; each topic has its own"
    assert declared["lamp"] is lamp.LampTopic


def test_a_base_class_is_no_topic_and_its_subclasses_are(declared: dict[str, type[Topic]]) -> None:
    class Base(Topic, abstract=True):
        permission = SIGNED_IN

        def state(self) -> Any:
            return None

        @command(permission=VIEW)
        def push(self, user: Any, force: int) -> int:
            return force

    topic = declare("push", bases=(Base,), permission=..., state=...)
    assert declared["push"] is topic
    assert Base not in declared.values()
    assert topic.commands["push"].argument_names == ("force",)


def test_a_topic_may_be_a_subclass_of_another(declared: dict[str, type[Topic]]) -> None:
    first = declare("first", push=command(permission=VIEW)(nothing))
    second = declare("second", bases=(first,))
    third = declare("third", bases=(second,), read_scope="things.read")
    assert [topic.name for topic in (first, second, third)] == ["first", "second", "third"]
    assert [topic.read_scope for topic in (first, second, third)] == ["first.read", "second.read", "things.read"]
    assert [topic.write_scope for topic in (first, second, third)] == ["first.write", "second.write", "third.write"]
    assert third.commands.keys() == {"nothing"}
