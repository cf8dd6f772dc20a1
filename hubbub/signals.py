"""Hints from Django's signals: any change of a user, a session, a token or a permission requests a re-check.

A hint only names users to re-check: see `auth.revocation`. Its sweep finds changes that send no signal.
"""

from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import Signal

from hubbub import conf, users
from hubbub.auth import permissions, sessions
from hubbub.models import AccessToken
from hubbub.process.times import now, utc
from hubbub.publish import publish_users_changed

__all__ = ["epochs_renewed", "user_renamed"]

# Sent after the commit when what others see of a user has changed: with `user_id`, `name`, `picture` and `status`.
user_renamed = Signal()

# Sent by `manage.py renew_epochs`: receivers renew epochs of their own, and return a line for the output.
epochs_renewed = Signal()

# Saved at each sign-in or use; they change no access.
IRRELEVANT_FIELDS = {"last_login", "last_used_at"}


def connect() -> None:
    """Connect all receivers. Called once, when all models are loaded."""
    user: Any = get_user_model()
    for model in _models_of_users(user):
        pre_save.connect(_before_user_save, sender=model, dispatch_uid="hubbub.user_is_saved")
        post_save.connect(_user_saved, sender=model, dispatch_uid="hubbub.user_saved")
        post_delete.connect(_user_deleted, sender=model, dispatch_uid="hubbub.user_deleted")
    post_save.connect(_token_changed, sender=AccessToken, dispatch_uid="hubbub.token_saved")
    post_delete.connect(_token_changed, sender=AccessToken, dispatch_uid="hubbub.token_deleted")
    if (session := sessions.model()) is not None:
        post_save.connect(_session_saved, sender=session, dispatch_uid="hubbub.session_saved")
        post_delete.connect(_session_deleted, sender=session, dispatch_uid="hubbub.session_deleted")
    for name in ("groups", "user_permissions"):
        if (through := getattr(getattr(user, name, None), "through", None)) is not None:
            m2m_changed.connect(_permissions_changed, sender=through, dispatch_uid=f"hubbub.{name}")
    m2m_changed.connect(
        _all_permissions_changed, sender=Group.permissions.through, dispatch_uid="hubbub.group_permissions"
    )
    for model in (Group, Permission):
        post_delete.connect(_all_permissions_changed, sender=model, dispatch_uid=f"hubbub.{model.__name__}")


def _models_of_users(user: Any) -> list[type[Model]]:
    """The user model, its proxies, and models related by multi-table inheritance: their rows are users."""
    parents = user._meta.get_parent_list()
    return [model for model in apps.get_models() if issubclass(model, user) or model in parents]


def _hint(user_ids: Collection[str] | None, using: str) -> None:
    def publish() -> None:
        permissions.forget(user_ids)
        publish_users_changed(user_ids)

    permissions.forget(user_ids)  # For the rest of the transaction.
    transaction.on_commit(publish, using=using, robust=True)


def _before_user_save(instance: Any, raw: bool, update_fields: Collection[str] | None, using: str, **_: object) -> None:
    instance.__dict__.pop("_shown_before", None)
    if not raw and not instance._state.adding and _may_change_shown(update_fields):
        instance.__dict__["_shown_before"] = users.current_shown(instance.pk, using)


def _may_change_shown(update_fields: Collection[str] | None) -> bool:
    if update_fields is None:
        return True
    shown = users.shown_fields()
    return not IRRELEVANT_FIELDS.issuperset(update_fields) if shown is None else not shown.isdisjoint(update_fields)


def _user_saved(instance: Any, created: bool, update_fields: Collection[str] | None, using: str, **_: object) -> None:
    if created:
        permissions.forget([users.id_of_key(instance.pk)])  # Another user may have had the key.
    elif not (update_fields and set(update_fields) <= IRRELEVANT_FIELDS):
        _hint([users.id_of_key(instance.pk)], using)
    # Read from the database: the instance may be of another model that shares the users' rows.
    before = instance.__dict__.pop("_shown_before", None)
    if before is not None and (shown := users.current_shown(instance.pk, using)) not in (None, before):
        send = partial(user_renamed.send, type(instance), user_id=users.id_of_key(instance.pk), **shown)
        # After the commit: receivers run queries, and a writer should not wait for them.
        transaction.on_commit(send, using=using, robust=True)


def _user_deleted(instance: Any, using: str, **_: object) -> None:
    _hint([users.id_of_key(instance.pk)], using)


def _token_changed(instance: AccessToken, using: str, created: bool = False, **_: object) -> None:
    if not created:
        _hint([users.id_of_key(instance.user_id)], using)


def _session_saved(instance: Any, created: bool, using: str, **_: object) -> None:
    # Sessions are saved at many requests; only one that ends before the next sweeps needs a hint.
    if not created and utc(instance.expire_date) <= now() + timedelta(seconds=2 * conf.settings().revalidate_seconds):
        _hint_user_of(instance, using)


def _session_deleted(instance: Any, using: str, **_: object) -> None:
    if utc(instance.expire_date) > now():  # Else it had expired: no socket depends on it.
        _hint_user_of(instance, using)


def _hint_user_of(session: Any, using: str) -> None:
    user_id = session.get_decoded().get(SESSION_KEY)
    if user_id is not None:
        _hint([str(user_id)], using)


def _permissions_changed(
    instance: Any, action: str, pk_set: set[Any] | None, reverse: bool, using: str, **_: object
) -> None:
    if action.startswith("post_"):
        # Reversed, `pk_set` has user keys; it is None after `clear()`: any user.
        keys = pk_set if reverse else {instance.pk}
        _hint([users.id_of_key(key) for key in keys] if keys else None, using)


def _all_permissions_changed(using: str, action: str = "post_delete", **_: object) -> None:
    if action.startswith("post_"):
        _hint(None, using)
