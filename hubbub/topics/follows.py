"""Rows that topics follow: saving or deleting a row marks its topic as changed, wherever in Django it happens."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save

from hubbub.topics.topic import Topic, changed_many, topics

KeyOf = Callable[[Any], Any]


def connect() -> None:
    """Connect the signals of all models that a topic follows. Once, when all models are loaded."""
    by_model: dict[type[Model], list[tuple[type[Topic], KeyOf]]] = {}
    for topic in topics().values():
        for model, key_of in topic.follows.items():
            # Django sends the signals of a proxy, and of a child table, for that class alone.
            for sender in apps.get_models():
                if issubclass(sender, model):
                    by_model.setdefault(sender, []).append((topic, key_of))
    for sender, followers in by_model.items():
        _follow(sender, followers)


def _follow(model: type[Model], followers: "list[tuple[type[Topic], KeyOf]]") -> None:
    attribute = f"_hubbub_followed_{model._meta.label_lower.replace('.', '_')}"

    def topics_of(row: Any) -> list[Topic]:
        keys = [(topic, key_of(row)) for topic, key_of in followers]
        return [topic(key) if topic.key_type is not None else topic() for topic, key in keys if key is not None]

    # Django inserts a new object with a key of its own making without looking for a row.
    has_default_key = model._meta.pk.has_default()

    def before_save(instance: Any, raw: bool, using: str, **_: object) -> None:
        """Note the topics of the row as it was: a row that moves changes both."""
        is_new = instance.pk is None or (instance._state.adding and has_default_key)
        if not raw and not is_new and (before := model._base_manager.using(using).filter(pk=instance.pk).first()):
            instance.__dict__[attribute] = topics_of(before)

    def after_save(instance: Any, raw: bool, **_: object) -> None:
        if not raw:
            _mark([*instance.__dict__.pop(attribute, ()), *topics_of(instance)])

    def after_delete(instance: Any, **_: object) -> None:
        _mark(topics_of(instance))

    name = f"hubbub.follows.{model._meta.label_lower}"
    pre_save.connect(before_save, sender=model, weak=False, dispatch_uid=name)
    post_save.connect(after_save, sender=model, weak=False, dispatch_uid=name)
    post_delete.connect(after_delete, sender=model, weak=False, dispatch_uid=name)


def _mark(changed: list[Topic]) -> None:
    """Only a state takes marks: the code of a log publishes its events."""
    changed_many({topic.address: topic for topic in changed if topic.kind == "state"}.values())
