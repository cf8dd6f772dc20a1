"""Whether a user may see a topic, and run its commands. Synchronous; for threads."""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

from hubbub import users
from hubbub.auth.identity import Identity, revalidate, with_permission
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

    Raises:
        Refused: `unauthorized`: the account, the session or the token is not valid any more.
    """
    key = users.key_of(user_id)
    user = None if key is None else read_users([key]).get(key)
    if user is None or not users.is_active(user):
        raise signed_out()
    if identity is not None and revalidate([identity], {user_id: user})[identity] is None:
        raise signed_out()
    return user


def check_view(topic: LiveTopic, user: Any) -> None:
    """Check that the user may see the topic.

    Raises:
        Refused: `forbidden` by the class, before the key is looked at; `not_found` by `may_view`.
    """
    if not has(user, topic.permission):
        raise Refused(ErrorCode.FORBIDDEN, f"you have no permission to see {topic.name}")
    if not topic.may_view(user):
        raise not_found()


def check_command(topic: LiveTopic, spec: CommandSpec, user: Any) -> None:
    """Check that the user may see the topic and run the command. Raises Refused as `check_view`, or `forbidden`."""
    check_view(topic, user)
    if not has(user, spec.permission):
        raise Refused(ErrorCode.FORBIDDEN, f"you have no permission for {spec.name}")


def has(user: Any, permission: str | Access | None) -> bool:
    """Whether the user has the permission; each user has those of `Access`."""
    return permission is None or isinstance(permission, Access) or users.has_perm(user, permission)


def denied(topics: Iterable[tuple[LiveTopic, Collection[str]]]) -> dict[str, dict[str, str]]:
    """The users who may not see the topics that they are in, in few queries where the topics can.

    Args:
        topics: of one class, each with the ids of users.

    Returns:
        By address and user id the error code: `forbidden`, `not_found`, or that of a Refused by `may_view`.
    """
    listed = [(topic, {*user_ids}) for topic, user_ids in topics]
    by_hand = listed[0][0].denied({topic.key: user_ids for topic, user_ids in listed}) if listed else {}
    if by_hand is not None:
        return {topic.address: dict(by_hand[topic.key]) for topic, _ in listed if topic.key in by_hand}
    all_ids = set().union(*(user_ids for _, user_ids in listed))
    keys = {user_id: key for user_id in all_ids if (key := users.key_of(user_id)) is not None}
    rows = read_users({*keys.values()})
    people = {user_id: rows[key] for user_id, key in keys.items() if key in rows and users.is_active(rows[key])}
    permission = listed[0][0].permission if listed else None
    permitted: Collection[str] = people.keys()
    if isinstance(permission, str):
        permitted = with_permission({*people}, permission)
    allowed = None
    if listed:
        asked = {
            topic.key: [people[user_id] for user_id in user_ids if user_id in permitted] for topic, user_ids in listed
        }
        if (answer := listed[0][0].viewers_allowed(asked)) is not None:
            allowed = {key: {*viewers} for key, viewers in answer.items()}
    found: dict[str, dict[str, str]] = {}
    for topic, user_ids in listed:
        for user_id in user_ids:
            if user_id not in permitted:
                code: str | None = ErrorCode.FORBIDDEN
            else:
                code = _refusal(topic, people[user_id], allowed)
            if code is not None:
                found.setdefault(topic.address, {})[user_id] = code
    return found


def _refusal(topic: LiveTopic, user: Any, allowed: Mapping[Any, Set[Any]] | None) -> str | None:
    if allowed is not None:
        return None if user in allowed.get(topic.key, ()) else ErrorCode.NOT_FOUND
    try:
        return None if topic.may_view(user) else ErrorCode.NOT_FOUND
    except Refused as refused:
        return refused.code
