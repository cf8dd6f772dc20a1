"""Checks whether migrations are additive: safe while processes of the previous release run.

The old code still writes to its tables: it sets no new columns, and needs every column that it knows. No table in use
may be locked for as long as reading or writing all its rows takes. A migration that cannot be checked, or is known to
be safe, gives its reason in an attribute: `additive_because = "…"`.
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

# Operations that lock no table. RunPython is checked together with the table locks of its migration.
NO_TABLE: tuple[type[Operation], ...] = (
    operations.AlterModelOptions,
    operations.AlterModelManagers,
    operations.RunPython,
)
# PostgreSQL operations by name: their module needs a driver that other databases do not.
NO_TABLE_NAMES = {"CreateExtension", "CreateCollation", "ValidateConstraint"}
CONCURRENT = {"AddIndexConcurrently", "RemoveIndexConcurrently"}
# Operations that lock a table only briefly, and change no column or drop a rule.
HARMLESS: tuple[type[Operation], ...] = (
    operations.AlterModelTableComment,
    operations.RemoveConstraint,
    operations.RemoveIndex,
    operations.RenameIndex,
)
# Attributes of a column. The others concern forms and code, not the database.
COLUMN = (
    *("db_column", "max_length", "null", "unique", "primary_key", "db_index", "db_collation", "db_comment"),
    *("max_digits", "decimal_places", "db_constraint", "to_fields"),
)
MAY_CHANGE = {"db_comment", "max_length", "null", "type", "db_default"}
TEXTS = {"CharField", "SlugField", "EmailField", "URLField", "TextField"}
UNBOUNDED = 1 << 62


def find_problems(migrations: Iterable[Key], loader: MigrationLoader) -> list[str]:
    """Check migrations against the running code of the previous release.

    Args:
        migrations: keys of the loader's graph, in any order; each is checked in the state that its predecessors leave.
        loader: a loader of this code.

    Returns:
        One sentence for each operation that is not additive.
    """
    selected = set(migrations)
    problems: list[str] = []
    state = ProjectState(real_apps=loader.unmigrated_apps)
    new: set[Key] = set()  # Models that these migrations create: the old code does not use them.
    for key, migration in _in_order(loader):
        if key in selected:
            unsafe = [*_replaced_tables(migration, loader), *_check(migration, state, new)]
            problems += [] if getattr(migration, BECAUSE, "") else [f"{'.'.join(key)}: {problem}" for problem in unsafe]
        state = migration.mutate_state(state, preserve=False)
    return problems


def migrations_after(baseline: dict[str, str], loader: MigrationLoader) -> list[Key]:
    """Return the migrations of each app in `baseline` after the named one; all of the app for an empty name."""
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


def _replaced_tables(migration: Migration, loader: MigrationLoader) -> Iterator[str]:
    """Tables that the old code uses under the name of another app, which an operation has in `replaces_app`."""
    applied = {app for app, _ in loader.applied_migrations or ()}
    for operation in migration.operations:
        if (former := getattr(operation, "replaces_app", "")) and former in applied:
            yield f"{_name(operation)} renames a table of the app {former}, which old processes use by its old name"


def _check(migration: Migration, before: ProjectState, new: set[Key]) -> Iterator[str]:
    state = before.clone()
    app = migration.app_label
    locking = ""  # The first operation that locks a table in use until the end of the transaction.
    for operation in migration.operations:
        for database_operation in _database_operations(operation):
            if problem := _problem(database_operation, app, state, new, is_atomic=migration.atomic):
                yield problem
            elif locking and isinstance(database_operation, operations.RunPython):
                yield f"RunPython: {locking} locks the table until it is done. Put RunPython into a later migration"
            if migration.atomic and not locking and _locks_table(database_operation, app, state, new):
                locking = _name(database_operation)
            if isinstance(database_operation, operations.CreateModel):
                new.add((app, database_operation.name.lower()))
        operation.state_forwards(app, state)


def _database_operations(operation: Any) -> Iterator[Any]:
    if not isinstance(operation, operations.SeparateDatabaseAndState):
        yield operation
        return
    for database_operation in operation.database_operations:
        yield from _database_operations(database_operation)


def _problem(operation: Any, app: str, state: ProjectState, new: set[Key], *, is_atomic: bool) -> str:
    kind = type(operation).__name__
    model = _model(operation)
    if isinstance(operation, NO_TABLE) or kind in NO_TABLE_NAMES:
        return ""
    if kind in CONCURRENT:
        return "" if not is_atomic else f"{kind} needs `atomic = False`"
    is_new = isinstance(operation, operations.CreateModel) or (app, model) in new
    if not is_atomic and (not is_new or _refers_to_old(operation, app, new)):
        tables = "the tables that it refers to" if is_new else "the table"
        return f"{_name(operation)}: with `atomic = False` it waits for {tables} without a time limit"
    if is_new or isinstance(operation, HARMLESS):
        return ""
    match operation:
        case operations.AddField():
            return _problem_of_new(operation.field, f"{model}.{operation.name}")
        case operations.AlterField():
            old = _column(_field(state, app, model, operation.name), app, model)
            return _problem_of_changed(old, _column(operation.field, app, model), f"{model}.{operation.name}")
        case operations.AddConstraint():
            return f"{kind} on {model}: rows of the old code may violate it, and the check of all rows locks the table"
        case operations.AddIndex():
            return f"AddIndex on {model} blocks writers until it is built: use AddIndexConcurrently on PostgreSQL"
    return f"{_name(operation)}: the old code may depend on it"


def _locks_table(operation: Any, app: str, state: ProjectState, new: set[Key]) -> bool:
    """Whether it locks an existing table until the transaction ends."""
    if isinstance(operation, NO_TABLE) or type(operation).__name__ in NO_TABLE_NAMES | CONCURRENT:
        return False
    model = _model(operation)
    if isinstance(operation, operations.CreateModel) or (app, model) in new:
        return _refers_to_old(operation, app, new)
    if isinstance(operation, operations.AlterField):
        return _column(_field(state, app, model, operation.name), app, model) != _column(operation.field, app, model)
    return True


def _refers_to_old(operation: Any, app: str, new: set[Key]) -> bool:
    """Whether it creates a foreign key to an existing table, which blocks writers of that table meanwhile."""
    is_model = isinstance(operation, operations.CreateModel)
    fields = [field for _, field in operation.fields] if is_model else [getattr(operation, "field", None)]
    model = _model(operation)
    targets = {_target(field, app, model) for field in fields if getattr(field, "db_constraint", True)}
    return bool(targets - new - {None, (app, model)})


def _model(operation: Any) -> str:
    return str(getattr(operation, "model_name", "") or getattr(operation, "name", "")).lower()


def _name(operation: Any) -> str:
    return f"{type(operation).__name__} {_model(operation)}".strip()


def _problem_of_new(new: Any, name: str) -> str:
    if new.many_to_many:
        return ""
    default = getattr(new, "db_default", NOT_PROVIDED)
    is_left_null = new.null and default is NOT_PROVIDED
    if new.unique and not is_left_null:
        return f"AddField {name}: it is unique, but all rows of the old code get the same value"
    if not new.null and default is NOT_PROVIDED and not isinstance(new, models.GeneratedField):
        return f"AddField {name}: the old code sets no value, and it has neither `null=True` nor `db_default`"
    if new.unique or new.db_index:
        return (
            f"AddField {name}: building its index locks the table. Add the field without an index "
            "(`db_index=False`), and the index by AddIndexConcurrently in a later migration"
        )
    is_computed = isinstance(default, Expression) and not isinstance(default, Value | Now)
    if is_computed or getattr(new, "db_persist", False):
        return f"AddField {name}: its values rewrite the whole table"
    return ""


def _problem_of_changed(was: dict[str, Any], is_now: dict[str, Any], name: str) -> str:
    """Empty if every value that the old code may write still fits, and the table is not rewritten."""
    if "ManyToManyField" in (was["type"], is_now["type"]):
        return "" if was == is_now else f"AlterField {name} moves its values"
    changed = {key for key in was if was[key] != is_now[key]}
    if changed - MAY_CHANGE:
        return f"AlterField {name} changes its {', '.join(sorted(changed - MAY_CHANGE))}"
    if was["null"] and not is_now["null"]:
        return f"AlterField {name}: the old code may write NULL"
    if "db_default" in changed and is_now["db_default"] is NOT_PROVIDED:
        return f"AlterField {name} removes the `db_default` that the old code may depend on"
    if "type" in changed and not {was["type"], is_now["type"]} <= TEXTS:
        return f"AlterField {name} changes its type"
    if (is_now["max_length"] or UNBOUNDED) < (was["max_length"] or UNBOUNDED):
        return f"AlterField {name}: its `max_length` is below that of the old code"
    return ""


def _column(field: Any, app: str, model: str) -> dict[str, Any]:
    column = {key: getattr(field, key, None) for key in COLUMN}
    return column | {
        "db_default": getattr(field, "db_default", NOT_PROVIDED),
        "type": field.get_internal_type(),
        "target": _target(field, app, model),
    }


def _target(field: Any, app: str, model: str) -> Key | None:
    """The model that a field refers to."""
    related = getattr(field, "remote_field", None)
    return resolve_relation(related.model, app, model) if related else None


def _field(state: ProjectState, app: str, model: str, name: str) -> Any:
    return state.models[app, model].fields[name]
