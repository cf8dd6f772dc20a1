"""Watch: a topic that gives each user a list of other topics, and tells what moves in them."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hubbub.process.refusals import BadDeclaration
from hubbub.topics import marks
from hubbub.topics.addresses import read_key
from hubbub.topics.topic import Topic


class Watch(Topic, abstract=True):
    """A list of topics of one class, for each user: rooms in a sidebar, the boards of a team. Subclass it, with a name.

    A client that joins it gets the summaries of the topics in its user's list, and then at most once a second those
    that moved. Nothing more is published for a change: each process compares the positions of what is watched in it.
    Watching is not being present, and no event of the listed topics is sent.

    Class attributes:
        watches: the class of the listed topics; they have keys, and are of kind state or log.
    """

    kind = "watch"
    watches: ClassVar[type[Topic]]

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if cls.name:
            _check(cls)

    @classmethod
    def keys_for(cls, user_ids: Collection[str], among: Collection[Any] | None) -> Mapping[str, Collection[Any]]:
        """Return the keys of the topics that each user lists, in few queries for all of them.

        A user lists only topics that the user may see: nothing else is checked.

        Args:
            user_ids: as text, see `hubbub.users.key_of`.
            among: return only those of these keys; None: all.

        Returns:
            By user id the keys; a user without any may be left out.
        """
        raise NotImplementedError

    @classmethod
    def summaries(cls, keys: Collection[Any]) -> Mapping[Any, Any]:
        """Return what lists show of each of these topics, without those that do not exist.

        Args:
            keys: of the listed topics.

        Returns:
            By key the summary: the same for all users, of types that msgspec encodes, with what a client tells topics
            apart by, such as the key. One call a second and process reads all that moved.
        """
        raise NotImplementedError

    @classmethod
    def access_marks(cls, keys: Collection[Any]) -> Mapping[Any, Any]:
        """Return a value for each topic. A transaction that changes the users of a topic must change its value, too.

        Without it, `keys_for` is asked about all watchers of each topic that moved. A value is cheaper where topics
        have many watchers: such as the count and the sum of the ids of the rows that give access.

        Args:
            keys: of the listed topics.

        Returns:
            By key the value, which is compared; a topic left out is asked about each time.
        """
        return {}

    def lists_changed(self, user_ids: Collection[str] = (), keys: Collection[Any] = ()) -> None:
        """Note that the lists of these users changed, or those users that list the topics of these keys.

        Pages show it after the commit, within a second; without the call within two minutes.

        Args:
            user_ids: as text.
            keys: of the listed topics.
        """
        marks.lists_changed(self, user_ids, keys)

    @classmethod
    def watched_key(cls, text: str) -> Any:
        """Return the key of the listed topic with this spelling. `text`: of the key."""
        return read_key(cls.watches.key_type, text)

    @classmethod
    def watched_group(cls, text: str) -> str:
        """Return the group of the listed topic with this key. `text`: of the key."""
        return cls.watches(cls.watched_key(text), is_read=True).group


def _check(cls: type[Watch]) -> None:
    watched: Any = getattr(cls, "watches", None)
    if not (isinstance(watched, type) and issubclass(watched, Topic) and watched.key_type is not None):
        raise _bad(cls, "watches", watched, "a watch names the class of the topics that it lists, which have keys")
    if watched.kind not in ("state", "log"):
        raise _bad(cls, "watches", watched, f"a {watched.kind!r} has no positions to compare")
    if cls.key_type is not None:
        raise _bad(cls, "key", cls.key_type, "a watch has no key: each user has one list")
    if cls.presence:
        raise _bad(cls, "presence", True, "watching is not being present: the listed topics have presence")
    for attribute in ("keys_for", "summaries"):
        if getattr(cls, attribute).__func__ is getattr(Watch, attribute).__func__:
            raise _bad(cls, attribute, None, f"a watch defines `def {attribute}(…)`, a classmethod")


def _bad(cls: type, attribute: str, value: object, allowed: str) -> BadDeclaration:
    return BadDeclaration(f"{cls.__name__}: {attribute}={value!r}: {allowed}")
