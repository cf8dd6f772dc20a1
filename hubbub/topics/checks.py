"""System checks of topics: their consumers, permissions and databases. Registered when all models are loaded."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import Permission
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.models import Model
from django.utils.module_loading import module_has_submodule

from hubbub.models import AccessToken, SiteIdentity, TopicEpoch, TopicOnce, TopicPosition
from hubbub.process.importing import CannotImport, application_for_a_check, load
from hubbub.process.refusals import BadDeclaration, CannotServe
from hubbub.topics.positions import NOW_MS
from hubbub.topics.topic import Topic, served_topics, topics

# Modules of apps that declare consumers, and that nothing may have imported yet.
CONSUMER_MODULES = ("consumers", "routing")


@register("hubbub")
def check_consumers(**_: Any) -> list[CheckMessage]:
    """The application comes first: a route of it may be the only consumer of a topic."""
    try:
        application_for_a_check()
    except CannotImport as error:
        hint = "Correct the setting or the module. Servers refuse to start without it."
        return [Error(str(error), hint=hint, id="hubbub.E015")]
    except CannotServe:
        return []  # E020 reports it.
    except BadDeclaration as error:
        return [_bad(error)]
    try:
        unreachable = _unreachable()
    except CannotImport as error:
        return [Error(str(error), hint="Correct the module.", id="hubbub.E024")]
    except BadDeclaration as error:
        return [_bad(error)]
    return [
        Warning(
            f"{topic.__module__}.{topic.__name__}: no consumer has this topic, so no client reaches it.",
            hint=f"Add it to one: class MyConsumer(TopicConsumer): topics = [{topic.__name__}], "
            f"or to a route of ASGI_APPLICATION: live({topic.__name__}).as_asgi().",
            id="hubbub.W016",
        )
        for topic in unreachable
    ]


@register("hubbub")
def check_permissions(**_: Any) -> list[CheckMessage]:
    used = {(where, permission) for topic in topics().values() for where, permission in _permissions_of(topic)}
    unknown = _unknown({permission for _, permission in used})
    return [
        Warning(
            f"{where}: permission={permission!r} is neither declared by a model nor in the database.",
            hint="Only superusers have it. Correct it, or declare it in the Meta.permissions of a model and migrate.",
            id="hubbub.W017",
        )
        for where, permission in sorted(used)
        if permission in unknown
    ]


@register("hubbub")
def check_databases(**_: Any) -> list[CheckMessage]:
    by_alias: dict[str, list[str]] = {}
    for topic in topics().values():
        if topic.kind not in ("newest", "watch"):  # They have no positions.
            by_alias.setdefault(topic.database, []).append(topic.__name__)
    return [message for alias, names in by_alias.items() for message in _messages_of(alias, ", ".join(sorted(names)))]


@register("hubbub")
def check_followed_models(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"{topic.__name__}: follows {model._meta.label} of database {alias!r}, with positions in "
            f"{topic.database!r}: these are two transactions.",
            hint="A process that is killed between the two commits leaves open pages as they are until the next "
            f"change. Set database = {alias!r} on the topic.",
            id="hubbub.W020",
        )
        for topic in topics().values()
        for model in topic.follows
        if (alias := router.db_for_write(model)) != topic.database
    ]


@register("hubbub")
def check_tables(**_: Any) -> list[CheckMessage]:
    """Tables of the engine in databases where it does not find them, or where they cannot work."""
    users = get_user_model()
    needed: list[tuple[type[Model], str, str]] = [
        (AccessToken, router.db_for_write(users), "beside the users, to whom tokens refer")
    ]
    needed += [(SiteIdentity, router.db_for_write(SiteIdentity), "where the routers send it")]
    for topic in topics().values():
        if topic.kind not in ("newest", "watch") and topic.database in connections.settings:
            used = [TopicPosition, TopicEpoch, *([TopicOnce] if any(s.once for s in topic.commands.values()) else [])]
            needed += [(model, topic.database, f"by {topic.__name__}") for model in used if not topic.has_own_positions]
    return [
        Error(
            f"DATABASE_ROUTERS keep {model._meta.label} out of the database {alias!r}, where it is needed {reason}.",
            hint=f"Let the routers send it there and answer True to allow_migrate({alias!r}, 'hubbub', "
            f"model_name={model._meta.model_name!r}). Then run: manage.py migrate --database {alias}.",
            id="hubbub.E014",
        )
        for (model, alias), reason in {(model, alias): reason for model, alias, reason in reversed(needed)}.items()
        if not router.allow_migrate_model(alias, model)
        or (model is AccessToken and router.db_for_write(model) != alias)
    ]


@register("hubbub")
def check_foreign_keys(**_: Any) -> list[CheckMessage]:
    users: Any = get_user_model()
    alias = router.db_for_write(users)
    return [
        Warning(
            f"{field.model._meta.label}.{field.name}: refers to users of database {alias!r} from database {own!r}.",
            hint="No database keeps such a key, and the deletion of a user fails. Route the model to the users' "
            "database, or store the key of the user in a field without a relation.",
            id="hubbub.W021",
        )
        for relation in users._meta.get_fields(include_hidden=True)
        if relation.auto_created and not relation.concrete and not relation.many_to_many
        if (field := relation.field).db_constraint
        and field.model is not AccessToken  # E014 reports it.
        and (own := router.db_for_write(field.model)) != alias
    ]


def _bad(error: BadDeclaration) -> Error:
    return Error(f"{error}.", hint="Correct the declaration of the consumer or topic.", id="hubbub.E023")


def _messages_of(alias: str, names: str) -> Iterator[CheckMessage]:
    if alias not in connections.settings:
        yield Error(
            f"{names}: database={alias!r} is not in DATABASES.",
            hint=f"Name one of {', '.join(map(repr, connections.settings))}.",
            id="hubbub.E013",
        )
        return
    connection = connections[alias]
    options = connection.settings_dict
    if connection.vendor not in NOW_MS:
        yield Error(
            f"DATABASES[{alias!r}] is {connection.vendor}, and has the positions of {names}.",
            hint="Positions need PostgreSQL or SQLite. Use one of them, or set `database` of the topics.",
            id="hubbub.E012",
        )
    if options.get("ATOMIC_REQUESTS"):
        yield Warning(
            f"DATABASES[{alias!r}] has ATOMIC_REQUESTS, and the positions of {names}.",
            hint="A view that calls changed() keeps the topic's row locked until its response. Remove ATOMIC_REQUESTS, "
            "or put non_atomic_requests on such views. Commands have transactions of their own.",
            id="hubbub.W018",
        )
    mode = options.get("OPTIONS", {}).get("transaction_mode") or "DEFERRED"
    if connection.vendor == "sqlite" and mode.upper() == "DEFERRED":
        yield Warning(
            f"DATABASES[{alias!r}] begins transactions without the write lock, and has the positions of {names}.",
            hint='Commands that run at the same time fail as "database is locked". '
            'Set OPTIONS = {"transaction_mode": "IMMEDIATE"}.',
            id="hubbub.W019",
        )


def _unreachable() -> list[type[Topic]]:
    """The topics on no consumer. Raises CannotImport, BadDeclaration: a module with consumers cannot be imported."""
    if not _without_consumer():
        return []
    for config in apps.get_app_configs():
        for name in CONSUMER_MODULES:
            if config.module is not None and module_has_submodule(config.module, name):
                load(f"{config.name}.{name}", f"{config.name}.{name}")
    return _without_consumer()


def _without_consumer() -> list[type[Topic]]:
    return [topic for topic in topics().values() if topic not in served_topics()]


def _permissions_of(topic: type[Topic]) -> Iterator[tuple[str, str]]:
    """The permissions of Django that the topic and its commands name, each with the place."""
    if isinstance(topic.permission, str):
        yield topic.__name__, topic.permission
    for spec in topic.commands.values():
        if isinstance(spec.permission, str):
            yield f"{topic.__name__}.{spec.method.__name__}", spec.permission


def _unknown(permissions: set[str]) -> set[str]:
    """Those that no model declares and that the database, if it can be read, does not have."""
    unknown = permissions - {
        f"{model._meta.app_label}.{codename}"
        for model in apps.get_models()
        for codename in (
            *(get_permission_codename(action, model._meta) for action in model._meta.default_permissions),
            *(codename for codename, _ in model._meta.permissions),
        )
    }
    if not unknown:
        return unknown
    try:
        rows = set(Permission.objects.values_list("content_type__app_label", "codename"))
    except DatabaseError:
        return set()  # Not migrated yet, or away.
    return unknown - {f"{app_label}.{codename}" for app_label, codename in rows}
