"""Whether migrations may be applied under running processes of the release before: each only adds to the schema.

The old code goes on writing to its tables: it gives new columns no value, and must find every column that it knows.
Nor may it wait: no table in use is kept from it for as long as reading or writing all its rows takes.
A migration that cannot be judged, or is known to do no harm, says why in an attribute: `additive_because = "…"`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import resolve_relation
from django.db.models import NOT_PROVIDED, Expression, Value
from django.db.models.functions import Now

BECAUSE = "additive_because"
Key = tuple[str, str]

# They take no table for themselves. What RunPython does to rows is judged beside what its migration does to tables.
NO_TABLE: tuple[type[Operation], ...] = (
    operations.AlterModelOptions,
    operations.AlterModelManagers,
    operations.RunPython,
)
# PostgreSQL's own, by name: its module needs a driver that others do not have.
NO_TABLE_NAMES = {"CreateExtension", "CreateCollation", "ValidateConstraint"}
CONCURRENT = {"AddIndexConcurrently", "RemoveIndexConcurrently"}
# They take a table for a moment, and change no column or loosen a rule.
HARMLESS: tuple[type[Operation], ...] = (
    operations.AlterModelTableComment,
    operations.RemoveConstraint,
    operations.RemoveIndex,
    operations.RenameIndex,
)
# Of a column. Whatever else a field has is the concern of forms and of the code.
COLUMN = (
    *("db_column", "max_length", "null", "unique", "primary_key", "db_index", "db_collation", "db_comment"),
    *("max_digits", "decimal_places", "db_constraint", "to_fields"),
)
MAY_CHANGE = {"db_comment", "max_length", "null", "type", "db_default"}
TEXTS = {"CharField", "SlugField", "EmailField", "URLField", "TextField"}
UNBOUNDED = 1 << 62


def find_problems(migrations: Iterable[Key], loader: MigrationLoader) -> list[str]:
    """One sentence for each operation in `migrations` that the code before them could not live with.

    `migrations`: of the loader's graph, in any order; each is judged in the state that its predecessors leave.
    """
    wanted = set(migrations)
    found: list[str] = []
    state = ProjectState(real_apps=loader.unmigrated_apps)
    new: set[Key] = set()  # The models that these migrations make: the code before them does not know those.
    for key, migration in _in_order(loader):
        if key in wanted:
            problems = [*_taken_over(migration, loader), *_judge(migration, state, new)]
            found += [] if getattr(migration, BECAUSE, "") else [f"{'.'.join(key)}: {one}" for one in problems]
        state = migration.mutate_state(state, preserve=False)
    return found


def migrations_after(baseline: dict[str, str], loader: MigrationLoader) -> list[Key]:
    """The migrations of these apps that come after the one named for each; all of them for an empty name."""
    plan = [key for key, _ in _in_order(loader)]
    released: set[Key] = set()
    for app, name in baseline.items():
        if name:
            released |= set(loader.graph.forwards_plan((app, name)))
    return [key for key in plan if key[0] in baseline and key not in released]


def _in_order(loader: MigrationLoader) -> Iterator[tuple[Key, Migration]]:
    seen: set[Key] = set()
    for leaf in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(leaf):
            if key not in seen:
                seen.add(key)
                yield key, loader.graph.nodes[key]


def _taken_over(migration: Migration, loader: MigrationLoader) -> Iterator[str]:
    """Tables that the code before knows by the name of another app: an operation says so in `replaces_app`."""
    applied = {app for app, _ in loader.applied_migrations or ()}
    for operation in migration.operations:
        if (former := getattr(operation, "replaces_app", "")) and former in applied:
            yield f"{_name(operation)} takes over a table of the app {former}, whose processes need its old name"


def _judge(migration: Migration, before: ProjectState, new: set[Key]) -> Iterator[str]:
    state = before.clone()
    app = migration.app_label
    held = ""  # The first operation that keeps a table in use to the end of the transaction.
    for operation in migration.operations:
        for one in _database_operations(operation):
            if problem := _problem(one, app, state, new, is_atomic=migration.atomic):
                yield problem
            elif held and isinstance(one, operations.RunPython):
                yield f"RunPython: {held} keeps others from the table until it is done: put it in a later migration"
            if migration.atomic and not held and _holds_a_table(one, app, state, new):
                held = _name(one)
            if isinstance(one, operations.CreateModel):
                new.add((app, one.name.lower()))
        operation.state_forwards(app, state)


def _database_operations(operation: Any) -> Iterator[Any]:
    if not isinstance(operation, operations.SeparateDatabaseAndState):
        yield operation
        return
    for one in operation.database_operations:
        yield from _database_operations(one)


def _problem(one: Any, app: str, state: ProjectState, new: set[Key], *, is_atomic: bool) -> str:
    kind = type(one).__name__
    model = _model(one)
    if isinstance(one, NO_TABLE) or kind in NO_TABLE_NAMES:
        return ""
    if kind in CONCURRENT:
        return "" if not is_atomic else f"{kind} needs `atomic = False`"
    is_new = isinstance(one, operations.CreateModel) or (app, model) in new
    if not is_atomic and (not is_new or _refers_to_old(one, app, new)):
        tables = "the tables that it refers to" if is_new else "the table"
        return f"{_name(one)}: with `atomic = False` it waits for {tables} without a bound"
    if is_new or isinstance(one, HARMLESS):
        return ""
    match one:
        case operations.AddField():
            return _problem_of_new(one.field, f"{model}.{one.name}")
        case operations.AlterField():
            old = _field(state, app, model, one.name)
            return _problem_of_changed(_column(old, app, model), _column(one.field, app, model), f"{model}.{one.name}")
        case operations.AddConstraint():
            return f"{kind} on {model}: what the old code writes may not fit, and all rows are looked at meanwhile"
        case operations.AddIndex():
            return f"AddIndex on {model} stops its writers until it is built: use AddIndexConcurrently on PostgreSQL"
    return f"{_name(one)}: the old code may rely on what it changes"


def _holds_a_table(one: Any, app: str, state: ProjectState, new: set[Key]) -> bool:
    """Whether users of a table that is no new one wait from then on until the transaction ends."""
    if isinstance(one, NO_TABLE) or type(one).__name__ in NO_TABLE_NAMES | CONCURRENT:
        return False
    model = _model(one)
    if isinstance(one, operations.CreateModel) or (app, model) in new:
        return _refers_to_old(one, app, new)
    if isinstance(one, operations.AlterField):
        return _column(_field(state, app, model, one.name), app, model) != _column(one.field, app, model)
    return True


def _refers_to_old(one: Any, app: str, new: set[Key]) -> bool:
    """Whether it makes a foreign key to a table that is no new one: its writers wait meanwhile."""
    is_model = isinstance(one, operations.CreateModel)
    fields = [field for _, field in one.fields] if is_model else [getattr(one, "field", None)]
    model = _model(one)
    targets = {_target(field, app, model) for field in fields if getattr(field, "db_constraint", True)}
    return bool(targets - new - {None, (app, model)})


def _model(one: Any) -> str:
    return str(getattr(one, "model_name", "") or getattr(one, "name", "")).lower()


def _name(one: Any) -> str:
    return f"{type(one).__name__} {_model(one)}".strip()


def _problem_of_new(new: Any, name: str) -> str:
    if new.many_to_many:
        return ""
    default = getattr(new, "db_default", NOT_PROVIDED)
    is_left_null = new.null and default is NOT_PROVIDED
    if new.unique and not is_left_null:
        return f"AddField {name}: all rows that the old code writes have the same value, and it is unique"
    if not new.null and default is NOT_PROVIDED and not isinstance(new, models.GeneratedField):
        return f"AddField {name}: the old code gives it no value, and it has neither `null=True` nor `db_default`"
    if new.unique or new.db_index:
        return (
            f"AddField {name}: its index is built while nobody can use the table. Add it without one "
            "(`db_index=False`), and the index by AddIndexConcurrently in a later migration"
        )
    is_computed = isinstance(default, Expression) and not isinstance(default, Value | Now)
    if is_computed or getattr(new, "db_persist", False):
        return f"AddField {name}: the table is written anew with its values"
    return ""


def _problem_of_changed(was: dict[str, Any], is_now: dict[str, Any], name: str) -> str:
    """Empty if every value that the old code may write still fits, and the table need not be written anew."""
    if "ManyToManyField" in (was["type"], is_now["type"]):
        return "" if was == is_now else f"AlterField {name} moves its values"
    changed = {key for key in was if was[key] != is_now[key]}
    if changed - MAY_CHANGE:
        return f"AlterField {name} changes its {', '.join(sorted(changed - MAY_CHANGE))}"
    if was["null"] and not is_now["null"]:
        return f"AlterField {name}: the old code may write NULL"
    if "db_default" in changed and is_now["db_default"] is NOT_PROVIDED:
        return f"AlterField {name} takes away the `db_default` that the old code may rely on"
    if "type" in changed and not {was["type"], is_now["type"]} <= TEXTS:
        return f"AlterField {name} changes its type"
    if (is_now["max_length"] or UNBOUNDED) < (was["max_length"] or UNBOUNDED):
        return f"AlterField {name} becomes shorter than what the old code may write"
    return ""


def _column(one: Any, app: str, model: str) -> dict[str, Any]:
    found = {key: getattr(one, key, None) for key in COLUMN}
    return found | {
        "db_default": getattr(one, "db_default", NOT_PROVIDED),
        "type": one.get_internal_type(),
        "target": _target(one, app, model),
    }


def _target(one: Any, app: str, model: str) -> Key | None:
    """The model that a field refers to."""
    related = getattr(one, "remote_field", None)
    return resolve_relation(related.model, app, model) if related else None


def _field(state: ProjectState, app: str, model: str, name: str) -> Any:
    return state.models[app, model].fields[name]
