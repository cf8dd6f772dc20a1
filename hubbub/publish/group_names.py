"""The layer's groups: each group of the hub has its own; topics of one user each share a few. A leaf."""

import functools
import hashlib

# Begins the name of a topic's group, and of the group of a topic of one user.
TOPIC_PREFIX = "t:"
PERSONAL_PREFIX = "u:"

# So many subscriptions carry the topics of one user each, however many users there are.
SHARED_GROUPS = 64


@functools.lru_cache(4096)
def layer_group(group: str) -> str:
    """The name in the layer, which allows fewer characters and shorter names."""
    if group.startswith(TOPIC_PREFIX):
        return f"t.{_hash(group)}"
    if group.startswith(PERSONAL_PREFIX):
        return f"u.{int(_hash(group), 16) % SHARED_GROUPS}"
    return group


def shown(group: str) -> str:
    """The name of a group in the security log: that of a topic is its address."""
    return group.removeprefix(TOPIC_PREFIX).removeprefix(PERSONAL_PREFIX)


def _hash(group: str) -> str:
    return hashlib.blake2b(group.encode(), digest_size=16).hexdigest()
