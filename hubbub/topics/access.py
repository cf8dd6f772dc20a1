"""Whether a user may see a topic, and run its commands. Synchronous; for threads."""

import functools
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import Error as DatabaseError

from hubbub import users
from hubbub.auth.identity import VISITOR, Identity, revalidate, with_permission
from hubbub.process.log_once import LogOnce
from hubbub.protocol import ErrorCode, Refused
from hubbub.queries import read_users
from hubbub.topics.commands import Access, CommandSpec
from hubbub.topics.interface import LiveTopic


def not_found() -> Refused:
    """The answer for a topic that does not exist, or that the user may not know of."""
    return Refused(ErrorCode.NOT_FOUND, "there is no such topic")


def signed_out() -> Refused:
    """The answer to a user whose session, token or account has ended."""
    return Refused(ErrorCode.UNAUTHORIZED, "you are signed out")


def current_user(user_id: str, identity: Identity | None) -> Any:
    """The user as in the database now.

    Args:
        user_id: of the user.
        identity: the session or token of the call; None: it came by neither.

    Returns:
        The user's row; for an anonymous visitor Django's AnonymousUser.

    Raises:
        Refused: `unauthorized`: the account, the session or the token is not valid any more.
    """
    if identity is not None and identity.is_anonymous:
        return AnonymousUser()
    key = users.key_of(user_id)
    user = None if key is None else read_users([key]).get(key)
    if user is None or not users.is_active(user):
        raise signed_out()
    if identity is not None:
        now = revalidate([identity], {user_id: user})[identity]
        if now is None or not now.covers(identity):  # Also a token that has lost a scope.
            raise signed_out()
    return user


def caller_from_python(topic: LiveTopic, user: Any) -> tuple[str, Identity | None]:
    """The caller of a command in Django code: the user id, and for an anonymous visitor of a public topic VISITOR.

    Raises:
        Refused: `unauthorized`: the user is not signed in.
    """
    if user is None:
        raise signed_out()
    if not is_anonymous(user):
        return users.id_of(user), None
    if topic.permission is not Access.PUBLIC or not topic._is_checked:
        raise signed_out()
    return "", VISITOR


def refusal_of_key(topic: type[LiveTopic], identity: Identity) -> Refused:
    """The answer for a key that no topic of the class can have: users without its permission are not told so."""
    user = current_user(identity.user_id, identity)
    return not_found() if has(user, topic.permission) else forbidden(topic)


def forbidden(topic: LiveTopic | type[LiveTopic]) -> Refused:
    return Refused(ErrorCode.FORBIDDEN, f"you have no permission to see {topic.name}")


def check_view(topic: LiveTopic, user: Any) -> None:
    """Check that the user may see the topic.

    Raises:
        Refused: `forbidden` by the class, before the key is looked at; `not_found` by `may_view`.
    """
    if not has(user, topic.permission):
        raise forbidden(topic)
    if not topic.may_view(user):
        raise not_found()


def check_command(topic: LiveTopic, spec: CommandSpec, user: Any) -> None:
    """Check that the user may see the topic and run the command. Raises Refused as `check_view`, or `forbidden`."""
    check_view(topic, user)
    if not has(user, spec.permission):
        raise forbidden_command(spec)
    if spec.once and is_anonymous(user):
        raise Refused(ErrorCode.INVALID, f"{spec.name} has an id, which counts by user: sign in to use it")


def forbidden_command(spec: CommandSpec) -> Refused:
    """The answer to a user without the permission of a command."""
    return Refused(ErrorCode.FORBIDDEN, f"you have no permission for {spec.name}")


def is_anonymous(user: Any) -> bool:
    """Whether it is Django's AnonymousUser, or one like it."""
    return not getattr(user, "is_authenticated", True)


def has(user: Any, permission: str | Access | None) -> bool:
    """Whether the user has the permission; each user has those of `Access`, an anonymous visitor PUBLIC alone."""
    if is_anonymous(user):
        return permission is Access.PUBLIC
    return permission is None or isinstance(permission, Access) or users.has_perm(user, permission)


# Of the checks in one job: those that are left are another job.
CHECK_SECONDS = 0.5

Topics = Sequence[tuple[LiveTopic, Collection[str]]]
R = TypeVar("R")


def denied(topics: Topics, seconds: float = CHECK_SECONDS) -> tuple[dict[str, dict[str, str]], Topics]:
    """The users who may not see the topics that they are in, in few queries where the topics can.

    A user about whom the topic cannot say it, because it raises, may not see it.

    Args:
        topics: of one class, each with the ids of users.
        seconds: after this, no more users are asked about alone. At least one is, and an answer for many is whole.

    Returns:
        By address and user id the error code: `forbidden`, `not_found`, or that of a Refused by `may_view`. And the
        topics with the users that are not checked yet.
    """
    if not topics:
        return {}, []
    check = _Check(topics)
    if check.by_hand is not None:
        check.log.recovered()
        visitors = {topic.address: {"": code} for topic, ids in topics if "" in ids and (code := check.code(topic, ""))}
        return {
            address: check.by_hand.get(address, {}) | visitors.get(address, {})
            for address in check.by_hand.keys() | visitors.keys()
        }, []
    # Not before the answers for many: those that are slow would be asked for again for each user.
    until = time.monotonic() + seconds if check.asks_each else math.inf
    found: dict[str, dict[str, str]] = {}
    for number, (topic, user_ids) in enumerate(topics):
        listed = [*user_ids]
        for place, user_id in enumerate(listed):
            if (code := check.code(topic, user_id)) is not None:
                found.setdefault(topic.address, {})[user_id] = code
            if time.monotonic() > until:
                return found, [(topic, listed[place + 1 :]), *topics[number + 1 :]]
    if not check.has_failed:
        check.log.recovered()
    return found, []


class _Check:
    """The answers for many users in topics of one class, read at once.

    Attributes:
        by_hand: what the class answers by `denied`; None: `code` answers for each user.
    """

    def __init__(self, topics: Topics) -> None:
        first = topics[0][0]
        self.log = _permission_log(type(first))
        self.has_failed = False
        self.by_hand = self._ask(lambda: _answer_by_hand(topics))
        # Not `may_view`, which may allow everybody in such a class.
        self._is_by_hand = self.has_failed
        if self.by_hand is None and not self._is_by_hand:
            self._read(topics)

    def _read(self, topics: Topics) -> None:
        first = topics[0][0]
        all_ids = {user_id for _, user_ids in topics for user_id in user_ids if user_id}
        keys = {user_id: key for user_id in all_ids if (key := users.key_of(user_id)) is not None}
        rows = read_users({*keys.values()})
        self._people = {
            user_id: row for user_id, key in keys.items() if (row := rows.get(key)) is not None and users.is_active(row)
        }
        self._permitted: Collection[str] = self._people.keys()
        if isinstance(first.permission, str):
            self._permitted = with_permission({*self._people}, first.permission)
        asked = {
            topic.key: [self._people[user_id] for user_id in user_ids if user_id in self._permitted]
            for topic, user_ids in topics
        }
        self._allowed = self._ask(lambda: _answer_for_many(first, asked))

    @property
    def asks_each(self) -> bool:
        """Whether each user is asked about alone."""
        return self._is_by_hand or self._allowed is None

    def code(self, topic: LiveTopic, user_id: str) -> str | None:
        """The code for a user without access to the topic; None: the user has access."""
        try:
            return self._code(topic, user_id)
        except Refused as refused:
            return refused.code
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - of this user and topic; all others are checked
            self._failed(error)
            return ErrorCode.NOT_FOUND

    def _code(self, topic: LiveTopic, user_id: str) -> str | None:
        if not user_id:  # Anonymous visitors: answers for many take rows of users.
            if topic.permission is not Access.PUBLIC:
                return ErrorCode.FORBIDDEN
            return None if topic.may_view(AnonymousUser()) else ErrorCode.NOT_FOUND
        if self._is_by_hand:
            answer = _answer_by_hand([(topic, [user_id])])
            return ErrorCode.NOT_FOUND if answer is None else answer.get(topic.address, {}).get(user_id)
        user = self._people.get(user_id)
        if user is None or user_id not in self._permitted:
            return ErrorCode.FORBIDDEN
        may_view = topic.may_view(user) if self._allowed is None else user in self._allowed.get(topic.key, ())
        return None if may_view else ErrorCode.NOT_FOUND

    def _ask(self, question: Callable[[], R | None]) -> R | None:
        """The answer for many; None: each is asked about alone, as after an error."""
        try:
            return question()
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - of one topic or user of many
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        self.has_failed = True
        self.log.failed(repr(error), with_traceback=True)


def _answer_by_hand(topics: Topics) -> dict[str, dict[str, str]] | None:
    answer = topics[0][0].denied({topic.key: {*user_ids} - {""} for topic, user_ids in topics})
    if answer is None:
        return None
    return {topic.address: dict(answer[topic.key]) for topic, _ in topics if topic.key in answer}


def _answer_for_many(topic: LiveTopic, asked: Mapping[Any, Collection[Any]]) -> dict[Any, set[Any]] | None:
    answer = topic.viewers_allowed(asked)
    return None if answer is None else {key: {*viewers} for key, viewers in answer.items()}


@functools.cache
def _permission_log(cls: type) -> LogOnce:
    return LogOnce(f"{cls.__name__}: authorization re-check failed")
