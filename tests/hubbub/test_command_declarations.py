"""A command that cannot work is refused at import, in a message that says what to change."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hubbub import BY_METHOD, SIGNED_IN, VIEW, Topic, command
from tests.support.declarations import declare, declare_with, nothing, refusal
from tests.support.polls.models import Poll

if TYPE_CHECKING:
    from decimal import Decimal

pytestmark = pytest.mark.usefixtures("declared")


def takes(**annotations: Any) -> Callable[..., Any]:
    """A method `vote(self, user, …)` with these arguments."""
    scope: dict[str, Any] = {}
    exec(f"def vote(self, user, {', '.join(annotations)}): pass", scope)
    scope["vote"].__annotations__ = {name: kind for name, kind in annotations.items() if kind is not ...}
    method: Callable[..., Any] = scope["vote"]
    return method


PERMISSIONS = "'app.codename', VIEW (each user with access to the topic), SIGNED_IN or PUBLIC"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param({"permission": None}, ["permission is missing", PERMISSIONS], id="no permission"),
        pytest.param({"permission": "vote"}, ["permission='vote'", PERMISSIONS], id="no app in the permission"),
        pytest.param({"permission": False}, ["permission=False", PERMISSIONS], id="a permission that is no text"),
        *(
            pytest.param({"name": name}, [f"name={name!r}", "the engine has this command"], id=name)
            for name in ("join", "leave", "ping", "auth")
        ),
        pytest.param({"name": "cast vote"}, ["name='cast vote'", "60 ASCII letters"], id="two words"),
        pytest.param({"name": "v" * 61}, ["name='vvv", "60 ASCII letters"], id="a long name"),
        pytest.param({"name": "wählen"}, ["name='wählen'", "60 ASCII letters"], id="not ASCII"),
        pytest.param({"name": 7}, ["name=7", "60 ASCII letters"], id="a name that is no text"),
        pytest.param(
            {"told": True, "permission": "polls.add_vote"},
            ["told=True", "permission='polls.add_vote'", "permission=VIEW"],
            id="told with a permission of Django",
        ),
        pytest.param({"told": True, "once": True}, ["told=True", "neither `once` nor `reads`"], id="told once"),
        pytest.param({"told": True, "reads": True}, ["told=True", "neither `once` nor `reads`"], id="told reads"),
        pytest.param({"max_present": 5}, ["max_present=5", "a told command"], id="a bound of users without told"),
        pytest.param({"told": True, "max_present": -1}, ["max_present=-1"], id="a negative bound of users"),
        pytest.param({"reads": True, "once": True}, ["once=True, reads=True"], id="reads once"),
    ],
)
def test_a_bad_command_is_refused(options: dict[str, Any], parts: list[str]) -> None:
    message = refusal(lambda: declare_with(takes(option=int), **options))
    assert message.startswith("ThingTopic.vote: ")
    assert [part for part in parts if part not in message] == [], message


async def vote_async(self: Any, user: Any) -> None:
    pass


def vote_for_checkers(self: Any, user: Any, sum: "Decimal") -> None:
    pass


def with_list(self: Any, user: Any, *options: int) -> None:
    pass


def with_rest(self: Any, user: Any, **options: int) -> None:
    pass


def without_user(self: Any, option: int) -> None:
    pass


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        pytest.param(takes(option=...), ["argument 'option' has no annotation", "option: int"], id="no annotation"),
        pytest.param(takes(poll=Poll), ["argument 'poll'", "cannot decode Poll", "int, str"], id="a model"),
        pytest.param(takes(polls=list[Poll]), ["argument 'polls'", "cannot decode Poll"], id="models in a list"),
        pytest.param(takes(vote=object), ["argument 'vote'", "cannot decode object"], id="an object"),
        pytest.param(takes(both=list[int] | tuple[int]), ["union"], id="a union that msgspec refuses"),
        *(
            pytest.param(takes(**{name: int}), [f"argument {name!r}", "rename it", "topic, type"], id=name)
            for name in ("ref", "type", "topic", "id", "after", "epoch")
        ),
        pytest.param(with_list, ["argument '*options", "by name"], id="*arguments"),
        pytest.param(with_rest, ["argument '**options", "by name"], id="**arguments"),
        pytest.param(without_user, ["`self` and `user`"], id="no user"),
        pytest.param(vote_async, ["`def` instead of `async def`"], id="async"),
        pytest.param(vote_for_checkers, ["'sum': 'Decimal'", "outside TYPE_CHECKING"], id="a name for checkers"),
    ],
)
def test_arguments_that_no_client_can_send_are_refused(method: Callable[..., Any], parts: list[str]) -> None:
    message = refusal(lambda: declare_with(method))
    assert message.startswith("ThingTopic.vote: ")
    assert [part for part in parts if part not in message] == [], message


def test_a_command_without_parentheses_is_refused() -> None:
    def declaration() -> None:
        class ThingTopic(Topic, name="thing"):
            @command  # type: ignore[arg-type]
            def vote(self, user: Any) -> None:
                pass

    message = refusal(declaration)
    assert message == "ThingTopic.vote: @command needs parentheses and a permission, such as @command(permission=VIEW)"


def test_a_command_is_a_method_of_one_topic() -> None:
    message = refusal(lambda: command(permission=VIEW)(classmethod(nothing)))
    assert "a command is a method with `self`" in message


def test_two_commands_of_one_name_are_refused() -> None:
    def declaration() -> None:
        class ThingTopic(Topic, name="thing"):
            permission = SIGNED_IN

            def state(self) -> Any:
                return None

            @command(permission=VIEW)
            def vote(self, user: Any) -> None:
                pass

            @command("vote", permission=VIEW)
            def cast(self, user: Any) -> None:
                pass

    message = refusal(declaration)
    assert message == "ThingTopic: cast and vote are both the command 'vote'; each name is used once"


def test_a_command_does_not_replace_a_method_of_the_engine() -> None:
    def declaration() -> None:
        class ThingTopic(Topic, name="thing"):
            permission = SIGNED_IN

            def state(self) -> Any:
                return None

            @command("thing.tell", permission=VIEW)
            def tell(self, user: Any) -> None:  # type: ignore[override]
                pass

    assert "ThingTopic: tell='thing.tell': a method of every topic" in refusal(declaration)


# With a batch


class Entry(msgspec.Struct):
    text: str


def post(cls: Any, calls: Any) -> Any:
    """A method that is good as a command with a batch."""
    return [None for _ in calls]


def with_a_batch(method: Any = post, **options: Any) -> str:
    """The refusal of a command `post` with a batch and these options."""
    options = {"permission": VIEW, "batch": 10, "arguments": Entry, **options}
    function = getattr(method, "__func__", method)
    function.__name__, function.__qualname__ = "post", "ThingTopic.post"
    return refusal(lambda: declare(post=command("post", **options)(method)))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        *(
            pytest.param({"batch": batch}, [f"batch={batch!r}", "1 to 1000 calls"], id=f"a batch of {batch}")
            for batch in (-1, 1001, 2.5, "10")
        ),
        pytest.param({"batch": True}, ["batch=True", "1 to 1000 calls"], id="a batch that is no number"),
        *(
            pytest.param({name: True}, ["neither `once`, `reads` nor `told`"], id=f"a batch with {name}")
            for name in ("once", "reads", "told")
        ),
        pytest.param({"arguments": None}, ["arguments=None", "msgspec.Struct"], id="no struct"),
        pytest.param({"arguments": dict}, ["arguments=<class 'dict'>", "msgspec.Struct"], id="a dictionary"),
        pytest.param({"arguments": Entry("x")}, ["arguments=Entry(", "msgspec.Struct"], id="an object"),
    ],
)
def test_a_bad_batch_is_refused(options: dict[str, Any], parts: list[str]) -> None:
    message = with_a_batch(classmethod(post), **options)
    assert message.startswith("ThingTopic.post: ")
    assert [part for part in parts if part not in message] == [], message


def struct_of(fields: list[Any], **config: Any) -> Any:
    return msgspec.defstruct("Entry", fields, **config)


@pytest.mark.parametrize(
    ("struct", "parts"),
    [
        *(
            pytest.param(struct_of([(name, int)]), [f"field {name!r}", "rename it"], id=name)
            for name in ("ref", "type", "topic", "after", "epoch")
        ),
        pytest.param(struct_of([("poll", Poll)]), ["field 'poll'", "cannot decode Poll"], id="a model"),
        pytest.param(
            struct_of([("polls", list[Poll])]), ["field 'polls'", "cannot decode Poll"], id="a list of models"
        ),
        pytest.param(struct_of([("both", list[int] | tuple[int])]), ["field 'both'", "union"], id="a union"),
        pytest.param(struct_of([("text", str)], array_like=True), ["array_like"], id="an array"),
        pytest.param(struct_of([("text", str)], tag="text"), ["tag"], id="a tag"),
        pytest.param(struct_of([("kind", int)], rename={"kind": "type"}), ["field 'type'"], id="renamed to type"),
    ],
)
def test_a_struct_that_no_client_can_send_is_refused(struct: Any, parts: list[str]) -> None:
    message = with_a_batch(classmethod(post), arguments=struct)
    assert message.startswith("ThingTopic.post: ")
    assert [part for part in parts if part not in message] == [], message


def test_a_command_with_a_batch_is_a_class_method_over_calls() -> None:
    def without_calls(cls: Any) -> Any:
        return []

    def with_user(cls: Any, user: Any, text: str) -> Any:
        return []

    async def post_async(cls: Any, calls: Any) -> Any:
        return []

    assert "a class method has a batch, others have none" in with_a_batch(post)
    for method in (without_calls, with_user):
        assert "`cls` and `calls`" in with_a_batch(classmethod(method))
    assert "`def` instead of `async def`" in with_a_batch(classmethod(post_async))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"permission": BY_METHOD}, "only a command with a batch checks each call itself"),
        ({"arguments": Entry}, "only a command with a batch has its arguments in a struct"),
    ],
)
def test_what_belongs_to_a_batch_is_refused_without_one(options: dict[str, Any], part: str) -> None:
    message = refusal(lambda: declare_with(takes(option=int), **options))
    assert message.startswith("ThingTopic.vote: ")
    assert part in message


def test_a_good_batch_has_the_fields_of_its_struct() -> None:
    post.__name__, post.__qualname__ = "post", "ThingTopic.post"
    declared = command("post", permission=BY_METHOD, batch=10, arguments=struct_of([("id", str), ("text", str)]))
    spec = declare(post=declared(classmethod(post))).commands["post"]
    assert (spec.batch, spec.is_write, spec.argument_names) == (10, True, ("id", "text"))
    frame = spec.decoder.decode(b'{"type": "post", "ref": 1, "topic": "thing", "id": "a", "text": "b"}')
    assert (frame.id, frame.text) == ("a", "b")


def test_annotations_of_the_user_and_of_the_result_may_be_for_type_checkers_only() -> None:
    def vote(self: Any, user: "Nobody", option: int) -> "Nothing":  # type: ignore[name-defined]  # noqa: F821
        return option

    assert declare_with(vote).commands["vote"].argument_names == ("option",)
