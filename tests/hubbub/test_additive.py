"""Migrations that may be applied under running processes, and those that may not."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now, Random

from hubbub.supervisor.additive import find_problems, migrations_after

# The last migration of each app in the last release, or nothing for a new app. A release moves them on to its own.
RELEASED = {
    "accounts": "0001_initial",
    "chat": "0005_membership_ordering",
    "monitor": "0001_initial",
    "hubbub": "",
}
KEY = ("chat", "9001_tried")
TEXT = "RunSQL: the old code may depend on it"


def judged(*tried: Any, atomic: bool = True, because: str = "") -> list[str]:
    """The problems of a migration with these operations after chat's last one."""
    loader = MigrationLoader(None)
    (leaf,) = loader.graph.leaf_nodes("chat")
    migration = Migration(KEY[1], KEY[0])
    migration.operations, migration.atomic = list(tried), atomic
    if because:
        migration.additive_because = because  # type: ignore[attr-defined]
    loader.graph.add_node(KEY, migration)
    loader.graph.add_dependency(migration, KEY, leaf)
    return [problem.removeprefix("chat.9001_tried: ") for problem in find_problems([KEY], loader)]


def add(model: str, name: str, field: Any) -> Any:
    return operations.AddField(model, name, field)


def alter(name: str, field: Any) -> Any:
    return operations.AlterField("message", name, field)


def reference(to: str, **options: Any) -> Any:
    return models.ForeignKey(to, models.CASCADE, **options)


def poll(*fields: tuple[str, Any]) -> Any:
    return operations.CreateModel("Poll", [("id", models.BigAutoField(primary_key=True)), *fields])


GOOD = {
    "a new model": [operations.CreateModel("Poll", [("id", models.BigAutoField(primary_key=True))])],
    "a column that may be NULL": [add("message", "mood", models.CharField(max_length=9, null=True))],
    "a column with a default in the database": [add("message", "mood", models.CharField(max_length=9, db_default=""))],
    "a reference that has no index": [add("message", "answers", reference("chat.message", null=True, db_index=False))],
    "a reference under another name": [
        operations.AlterField("membership", "room", reference("chat.room", related_name="people"))
    ],
    "the time of the database": [add("message", "read_at", models.DateTimeField(db_default=Now()))],
    "a new model that refers to an old one": [poll(("room", reference("chat.room")))],
    "code that fills a new model": [poll(), operations.RunPython(operations.RunPython.noop)],
    "code before a column": [
        operations.RunPython(operations.RunPython.noop),
        add("message", "mood", models.IntegerField(null=True)),
    ],
    "code after other words for people": [
        operations.AlterField("room", "title", models.CharField("name", max_length=80)),
        operations.RunPython(operations.RunPython.noop),
    ],
    "a unique column of a new model": [poll(), add("poll", "key", models.CharField(max_length=9, unique=True))],
    "many to many": [add("room", "pinned", models.ManyToManyField("chat.message"))],
    "a longer text": [operations.AlterField("room", "title", models.CharField(max_length=90))],
    "other words for people": [operations.AlterField("room", "title", models.CharField("name", max_length=80))],
    "a text without a time limit": [operations.AlterField("room", "title", models.TextField())],
    "NULL is allowed": [alter("posted_position", models.PositiveBigIntegerField(null=True))],
    "whatever is done to a model that is new": [
        operations.CreateModel("Poll", [("id", models.BigAutoField(primary_key=True)), ("x", models.TextField())]),
        operations.RemoveField("poll", "x"),
    ],
    "a constraint less": [operations.RemoveConstraint("message", "message_client_id_once")],
    "code that fills a column": [operations.RunPython(operations.RunPython.noop)],
    "only the state": [
        operations.SeparateDatabaseAndState(state_operations=[operations.RemoveField("message", "edited_at")])
    ],
}
BAD = {
    "a column goes": ([operations.RemoveField("message", "edited_at")], "RemoveField message"),
    "a column gets another name": ([operations.RenameField("message", "body", "text")], "RenameField message"),
    "a model goes": ([operations.DeleteModel("Membership")], "DeleteModel membership"),
    "a model gets another name": ([operations.RenameModel("Membership", "Member")], "RenameModel"),
    "a table gets another name": ([operations.AlterModelTable("message", "messages")], "AlterModelTable message"),
    "a column that old code leaves out": (
        [add("message", "mood", models.CharField(max_length=9, default=""))],
        "AddField message.mood: the old code sets no value",
    ),
    "a unique column with one default": (
        [add("room", "key", models.CharField(max_length=9, db_default="", unique=True))],
        "AddField room.key: it is unique, but all rows of the old code get the same value",
    ),
    "a shorter text": ([operations.AlterField("room", "title", models.CharField(max_length=79))], "is below that"),
    "a text gets a bound": ([alter("body", models.CharField(max_length=4000))], "is below that"),
    "NULL is refused": ([alter("edited_at", models.DateTimeField())], "the old code may write NULL"),
    "another type": ([alter("seq", models.TextField())], "changes its type"),
    "unique from now on": (
        [operations.AlterField("room", "title", models.CharField(max_length=80, unique=True))],
        "AlterField room.title changes its unique",
    ),
    "a column that is filled and then refuses NULL": (
        [add("room", "key", models.CharField(max_length=9, null=True)),
         operations.AlterField("room", "key", models.CharField(max_length=9))],
        "AlterField room.key: the old code may write NULL",
    ),
    "the default in the database goes": (
        [add("room", "key", models.IntegerField(db_default=1)),
         operations.AlterField("room", "key", models.IntegerField(default=1))],
        "removes the `db_default`",
    ),
    "a constraint on what old code writes": (
        [operations.AddConstraint("room", models.UniqueConstraint(fields=["title"], name="title_once"))],
        "AddConstraint on room: rows of the old code may violate it",
    ),
    "a constraint on a column with one default": (
        [add("room", "key", models.CharField(max_length=9, db_default="")),
         operations.AddConstraint("room", models.UniqueConstraint(fields=["key"], name="key_once"))],
        "AddConstraint on room",
    ),
    "an index on a table in use": (
        [operations.AddIndex("message", models.Index(fields=["at"], name="by_time"))],
        "AddIndex on message blocks writers",
    ),
    "an index on a new column": (
        [add("message", "mood", models.IntegerField(null=True)),
         operations.AddIndex("message", models.Index(fields=["mood"], name="by_mood"))],
        "AddIndex on message blocks writers",
    ),
    "a constraint on new columns that are left NULL": (
        [add("room", "key", models.CharField(max_length=9, null=True)),
         operations.AddConstraint("room", models.UniqueConstraint(fields=["key"], name="key_once"))],
        "AddConstraint on room",
    ),
    "a unique column that is left NULL": (
        [add("room", "key", models.CharField(max_length=9, null=True, unique=True))],
        "AddField room.key: building its index locks the table",
    ),
    "a column with an index": (
        [add("message", "mood", models.SlugField(null=True))],
        "AddField message.mood: building its index locks the table",
    ),
    "a reference with its index": (
        [add("message", "answers", reference("chat.message", null=True))],
        "AddField message.answers: building its index locks the table",
    ),
    "one to one": (
        [add("message", "answers", models.OneToOneField("chat.message", models.CASCADE, null=True, db_index=False))],
        "AddField message.answers: building its index locks the table",
    ),
    "another value for each row": (
        [add("message", "luck", models.FloatField(db_default=Random()))],
        "AddField message.luck: its values rewrite the whole table",
    ),
    "a column that is computed and kept": (
        [add("message", "twice", models.GeneratedField(
            expression=models.F("seq") * 2, output_field=models.BigIntegerField(), db_persist=True))],
        "AddField message.twice: its values rewrite the whole table",
    ),
    "a column and what fills it in one transaction": (
        [add("message", "mood", models.IntegerField(null=True)), operations.RunPython(operations.RunPython.noop)],
        "RunPython: AddField message locks the table until it is done",
    ),
    "a reference to an old model and what fills it in one transaction": (
        [poll(("room", reference("chat.room"))), operations.RunPython(operations.RunPython.noop)],
        "RunPython: CreateModel poll locks the table",
    ),
    "a number of fewer digits": (
        [add("room", "price", models.DecimalField(max_digits=10, decimal_places=2, null=True)),
         operations.AlterField("room", "price", models.DecimalField(max_digits=4, decimal_places=1, null=True))],
        "AlterField room.price changes its decimal_places, max_digits",
    ),
    "a reference to another model": (
        [operations.AlterField("membership", "room", reference("chat.message"))],
        "AlterField membership.room changes its target",
    ),
    "a reference that is checked from now on": (
        [add("message", "answers", reference("chat.message", null=True, db_index=False, db_constraint=False)),
         operations.AlterField("message", "answers", reference("chat.message", null=True, db_index=False))],
        "AlterField message.answers changes its db_constraint",
    ),
    "SQL": ([operations.RunSQL("SELECT 1")], TEXT),
    "SQL beside a state": ([operations.SeparateDatabaseAndState([operations.RunSQL("SELECT 1")])], TEXT),
}  # fmt: skip


@pytest.mark.parametrize("tried", GOOD.values(), ids=GOOD)
def test_additive_migrations_are_accepted(tried: list[Any]) -> None:
    assert judged(*tried) == []


@pytest.mark.parametrize(("tried", "said"), BAD.values(), ids=BAD)
def test_migrations_that_break_old_code_are_refused(tried: list[Any], said: str) -> None:
    (problem,) = judged(*tried)
    assert said in problem
    assert judged(*tried, because="the table is empty on every site") == []


def test_an_index_that_is_built_beside_its_writers_is_taken_without_a_transaction() -> None:
    index = models.Index(fields=["at"], name="by_time")
    assert judged(AddIndexConcurrently("message", index), atomic=False) == []
    assert judged(AddIndexConcurrently("message", index)) == ["AddIndexConcurrently needs `atomic = False`"]


def test_a_change_of_a_table_without_a_transaction_is_refused() -> None:
    new = add("message", "mood", models.IntegerField(null=True))
    assert judged(new, atomic=False) == [
        "AddField message: with `atomic = False` it waits for the table without a time limit"
    ]
    assert judged(operations.RunPython(operations.RunPython.noop), atomic=False) == []


@pytest.mark.parametrize(
    "tried",
    [
        operations.RemoveConstraint("message", "message_client_id_once"),
        operations.RemoveIndex("message", "by_time"),
        operations.RenameIndex("message", "by_mood", "by_time"),
        operations.AlterModelTableComment("message", "what was said"),
        poll(("room", reference("chat.room"))),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_a_short_table_lock_is_refused_without_a_transaction(tried: Any) -> None:
    (problem,) = judged(tried, atomic=False)
    assert "with `atomic = False` it waits for the table" in problem


def test_a_new_model_that_refers_to_no_old_one_is_taken_without_a_transaction() -> None:
    assert judged(poll(("before", reference("self"))), atomic=False) == []
    assert judged(poll(("room", reference("chat.room", db_constraint=False))), atomic=False) == []


def test_an_empty_database_takes_all_there_is() -> None:
    loader = MigrationLoader(None)
    assert find_problems(loader.graph.nodes, loader) == []


def test_the_migrations_since_the_last_release_are_additive() -> None:
    """Processes of the last release run while migrations are applied. Removals come one release later."""
    loader = MigrationLoader(None)
    assert find_problems(migrations_after(RELEASED, loader), loader) == []


def test_the_last_release_is_recorded_for_each_app() -> None:
    packages = ("chat", "monitor", "project", "hubbub")
    ours = {app.label for app in apps.get_app_configs() if app.name.split(".")[0] in packages}
    assert ours - {"project", "hubbub_supervisor"} == set(RELEASED)  # Those have no models.
    loader = MigrationLoader(None)
    assert migrations_after(dict.fromkeys(RELEASED, ""), loader)
    assert {key for key in RELEASED.items() if key[1]} <= set(loader.graph.nodes)
