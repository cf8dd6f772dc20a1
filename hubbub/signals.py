"""From Django's signals to the sockets: what anybody changes about a user, a session or a token, wherever in Django.

Each is only a hint that somebody should be looked at: see revocation.py. What sends no signal is found by its sweep.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import Signal
from django.utils import timezone

from hubbub import conf, users
from hubbub.auth import sessions
from hubbub.models import AccessToken
from hubbub.publish import publish_users_changed

# Sent with `user_id` and `name` when a user was saved by another name, after the commit.
user_renamed = Signal()

# Saved at each sign-in, or each use: they change nobody's rights.
OF_NO_MATTER = {"last_login", "last_used_at"}


def connect() -> None:
    """Called once, when all models are there."""
    user: Any = get_user_model()
    for model in _models_of_users(user):
        pre_save.connect(_user_is_saved, sender=model, dispatch_uid="hubbub.user_is_saved")
        post_save.connect(_user_saved, sender=model, dispatch_uid="hubbub.user_saved")
        post_delete.connect(_user_deleted, sender=model, dispatch_uid="hubbub.user_deleted")
    post_save.connect(_token_changed, sender=AccessToken, dispatch_uid="hubbub.token_saved")
    post_delete.connect(_token_changed, sender=AccessToken, dispatch_uid="hubbub.token_deleted")
    if (session := sessions.model()) is not None:
        post_save.connect(_session_saved, sender=session, dispatch_uid="hubbub.session_saved")
        post_delete.connect(_session_deleted, sender=session, dispatch_uid="hubbub.session_deleted")
    for name in ("groups", "user_permissions"):
        if (through := getattr(getattr(user, name, None), "through", None)) is not None:
            m2m_changed.connect(_rights_changed, sender=through, dispatch_uid=f"hubbub.{name}")
    m2m_changed.connect(_all_rights_changed, sender=Group.permissions.through, dispatch_uid="hubbub.group_permissions")
    for model in (Group, Permission):
        post_delete.connect(_all_rights_changed, sender=model, dispatch_uid=f"hubbub.{model.__name__}")


def _models_of_users(user: Any) -> list[type[Model]]:
    """The user model, and others whose rows are users: its proxies, and models that inherit tables from each other."""
    parents = user._meta.get_parent_list()
    return [model for model in apps.get_models() if issubclass(model, user) or model in parents]


def _tell(user_ids: Collection[str] | None) -> None:
    transaction.on_commit(lambda: publish_users_changed(user_ids), robust=True)


def _user_is_saved(instance: Any, raw: bool, update_fields: Collection[str] | None, **_: object) -> None:
    instance.__dict__.pop("_name_before", None)
    if not raw and not instance._state.adding and (update_fields is None or users.name_lookup() in update_fields):
        instance.__dict__["_name_before"] = users.current_name(instance.pk)


def _user_saved(instance: Any, created: bool, update_fields: Collection[str] | None, **_: object) -> None:
    if not created and not (update_fields and set(update_fields) <= OF_NO_MATTER):
        _tell([users.id_of_key(instance.pk)])
    # Not what the instance says: it may be of another model that shares the users' rows.
    before = instance.__dict__.pop("_name_before", None)
    if before is not None and (name := users.current_name(instance.pk)) not in (None, before):
        tell = partial(user_renamed.send, type(instance), user_id=users.id_of_key(instance.pk), name=name)
        # Receivers look up where the user is known, which takes longer than a writer should be held up.
        transaction.on_commit(tell, robust=True)


def _user_deleted(instance: Any, **_: object) -> None:
    _tell([users.id_of_key(instance.pk)])


def _token_changed(instance: AccessToken, created: bool = False, **_: object) -> None:
    if not created:
        _tell([users.id_of_key(instance.user_id)])


def _session_saved(instance: Any, created: bool, **_: object) -> None:
    # One that lasts is found by the sweep as it is, and saved at many requests.
    if not created and instance.expire_date <= timezone.now() + timedelta(
        seconds=2 * conf.settings().revalidate_seconds
    ):
        _tell_user_of(instance)


def _session_deleted(instance: Any, **_: object) -> None:
    ends: datetime = instance.expire_date
    if ends > timezone.now():  # Else it is cleared away: nobody lives by it.
        _tell_user_of(instance)


def _tell_user_of(session: Any) -> None:
    user_id = session.get_decoded().get(SESSION_KEY)
    if user_id is not None:
        _tell([str(user_id)])


def _rights_changed(instance: Any, action: str, pk_set: set[Any] | None, reverse: bool, **_: object) -> None:
    if action.startswith("post_"):
        # From the other side, `pk_set` are users; cleared, all that were.
        keys = pk_set if reverse else {instance.pk}
        _tell([users.id_of_key(key) for key in keys] if keys else None)


def _all_rights_changed(action: str = "post_delete", **_: object) -> None:
    if action.startswith("post_"):
        _tell(None)
