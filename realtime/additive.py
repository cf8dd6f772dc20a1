"""Whether migrations may be applied under running processes of the release before: each only adds to the schema.

The old code goes on writing to its tables: it gives new columns no value, and must find every column that it knows.
A migration that cannot be judged, or is known to do no harm, says why in an attribute: `additive_because = "…"`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

BECAUSE = "additive_because"
Key = tuple[str, str]

# They change no column, or loosen a rule.
HARMLESS: tuple[type[Operation], ...] = (
    operations.CreateModel,
    operations.AlterModelTableComment,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
    operations.RemoveConstraint,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.RunPython,
)
# PostgreSQL's own, by name: its module needs a driver that others do not have.
HARMLESS_NAMES = {"CreateExtension", "CreateCollation", "ValidateConstraint"}
CONCURRENT = {"AddIndexConcurrently", "RemoveIndexConcurrently"}
# Of a column. Whatever else a field has is the concern of forms and of the code.
COLUMN = ("db_column", "max_length", "null", "unique", "primary_key", "db_index", "db_collation", "db_comment")
MAY_CHANGE = {"db_comment", "max_length", "null", "type", "db_default"}
TEXTS = {"CharField", "SlugField", "EmailField", "URLField", "TextField"}
UNBOUNDED = 1 << 62


def complaints(migrations: Iterable[Key], loader: MigrationLoader) -> list[str]:
    """One sentence for each operation in `migrations` that the code before them could not live with.

    `migrations`: of the loader's graph, in any order; each is judged in the state that its predecessors leave.
    """
    wanted = set(migrations)
    found: list[str] = []
    state = ProjectState(real_apps=loader.unmigrated_apps)
    new = New()
    for key, migration in _in_order(loader):
        if key in wanted:
            problems = list(_judge(migration, state, new))
            found += [] if getattr(migration, BECAUSE, "") else [f"{'.'.join(key)}: {one}" for one in problems]
        state = migration.mutate_state(state, preserve=False)
    return found


def later_than(baseline: dict[str, str], loader: MigrationLoader) -> list[Key]:
    """The migrations of these apps that come after the one named for each; all of them for an empty name."""
    plan = [key for key, _ in _in_order(loader)]
    released: set[Key] = set()
    for app, name in baseline.items():
        if name:
            released |= set(loader.graph.forwards_plan((app, name)))
    return [key for key in plan if key[0] in baseline and key not in released]


@dataclass(slots=True)
class New:
    """What the migrations at hand have made: the code before them does not know it."""

    models: set[Key] = field(default_factory=set)
    # Whether the rows that the old code writes have NULL there.
    fields: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    def has_fields(self, app: str, model: str, names: Collection[str], *, are_null: bool = False) -> bool:
        """Whether all of these fields are new, of which there is at least one; `are_null`: and left NULL."""
        found = [self.fields.get((app, model, name)) for name in names]
        return bool(found) and None not in found and (not are_null or all(found))


def _in_order(loader: MigrationLoader) -> Iterator[tuple[Key, Migration]]:
    seen: set[Key] = set()
    for leaf in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(leaf):
            if key not in seen:
                seen.add(key)
                yield key, loader.graph.nodes[key]


def _judge(migration: Migration, before: ProjectState, new: New) -> Iterator[str]:
    state = before.clone()
    app = migration.app_label
    for operation in migration.operations:
        for one in _database_operations(operation):
            if problem := _problem(one, app, state, new, is_atomic=migration.atomic):
                yield problem
            match one:
                case operations.CreateModel():
                    new.models.add((app, one.name.lower()))
                case operations.AddField():
                    new.fields[app, one.model_name.lower(), one.name] = _is_left_null(one.field)
        operation.state_forwards(app, state)


def _database_operations(operation: Any) -> Iterator[Any]:
    if not isinstance(operation, operations.SeparateDatabaseAndState):
        yield operation
        return
    for one in operation.database_operations:
        yield from _database_operations(one)


def _problem(one: Any, app: str, state: ProjectState, new: New, *, is_atomic: bool) -> str:
    kind = type(one).__name__
    model = str(getattr(one, "model_name", "") or getattr(one, "name", "")).lower()
    if isinstance(one, HARMLESS) or kind in HARMLESS_NAMES:
        return ""
    if kind in CONCURRENT:
        return "" if not is_atomic else f"{kind} needs `atomic = False`"
    if (app, model) in new.models:
        return ""
    if not is_atomic:
        return f"{f'{kind} {model}'.strip()}: with `atomic = False` it waits for the table without a bound"
    match one:
        case operations.AddField():
            return _problem_of_new(one.field, f"{model}.{one.name}")
        case operations.AlterField():
            return _problem_of_changed(_field(state, app, model, one.name), one.field, f"{model}.{one.name}")
        case operations.AddConstraint():
            is_met = new.has_fields(app, model, _fields_of(one.constraint), are_null=True)
            return "" if is_met else f"{kind} on {model}: what the old code writes may not fit"
        case operations.AddIndex():
            if new.has_fields(app, model, _fields_of(one.index)):
                return ""
            return f"AddIndex on {model} stops its writers until it is built: use AddIndexConcurrently on PostgreSQL"
    return f"{f'{kind} {model}'.strip()}: the old code may rely on what it changes"


def _problem_of_new(new: Any, name: str) -> str:
    if new.many_to_many or _is_left_null(new):
        return ""
    if new.unique:
        return f"AddField {name}: all rows that the old code writes have the same value, and it is unique"
    if new.null or _has_db_default(new) or isinstance(new, models.GeneratedField):
        return ""
    return f"AddField {name}: the old code gives it no value, and it has neither `null=True` nor `db_default`"


def _problem_of_changed(old: Any, new: Any, name: str) -> str:
    """Empty if every value that the old code may write still fits, and the table need not be written anew."""
    if old.many_to_many or new.many_to_many:
        return "" if old.many_to_many and new.many_to_many else f"AlterField {name} moves its values"
    was, is_now = _column(old), _column(new)
    changed = {key for key in was if was[key] != is_now[key]}
    if changed - MAY_CHANGE:
        return f"AlterField {name} changes its {', '.join(sorted(changed - MAY_CHANGE))}"
    if was["null"] and not is_now["null"]:
        return f"AlterField {name}: the old code may write NULL"
    if "db_default" in changed and not _has_db_default(new):
        return f"AlterField {name} takes away the `db_default` that the old code may rely on"
    if "type" in changed and not {was["type"], is_now["type"]} <= TEXTS:
        return f"AlterField {name} changes its type"
    if (is_now["max_length"] or UNBOUNDED) < (was["max_length"] or UNBOUNDED):
        return f"AlterField {name} becomes shorter than what the old code may write"
    return ""


def _column(one: Any) -> dict[str, Any]:
    found = {key: getattr(one, key, None) for key in COLUMN}
    return found | {"db_default": getattr(one, "db_default", NOT_PROVIDED), "type": one.get_internal_type()}


def _has_db_default(one: Any) -> bool:
    return getattr(one, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


def _is_left_null(one: Any) -> bool:
    """Whether a row that gives it no value has NULL there."""
    return bool(one.null) and not _has_db_default(one)


def _field(state: ProjectState, app: str, model: str, name: str) -> Any:
    return state.models[app, model].fields[name]


def _fields_of(one: Any) -> list[str]:
    """The fields that an index or a constraint is about, as far as it says so by name."""
    if getattr(one, "expressions", ()) or getattr(one, "nulls_distinct", None) is False:
        return []
    return [name.lstrip("-") for name in getattr(one, "fields", ())]
