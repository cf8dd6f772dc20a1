"""The users present in a topic, by the answers and events that carry them. Pure."""

from typing import Any

Present = dict[str, Any]


def present_at_join(presence: Present | None) -> Present | None:
    """The users present by the answer to a join: `count`, and `users`; None if they are too many to be named."""
    if presence is None:
        return None
    is_named = len(presence["users"]) == presence["count"]
    return {"count": presence["count"], "users": list(presence["users"]) if is_named else None}


def present_after(present: Present | None, event: dict[str, Any]) -> Present:
    """The users present after a `presence.changed`. The first one that names users again names all."""
    if event["joined"] is None:
        return {"count": event["count"], "users": None}
    gone = {user["id"] for user in event["left"] or ()}
    known = (present or {}).get("users") or ()
    users = {user["id"]: user for user in known if user["id"] not in gone}
    users |= {user["id"]: user for user in event["joined"]}
    return {"count": event["count"], "users": list(users.values())}


def present_renamed(present: Present | None, person: dict[str, Any]) -> Present | None:
    """The users present after one of them got a new name."""
    if present is None or present["users"] is None:
        return present
    users = [person if user["id"] == person["id"] else user for user in present["users"]]
    return {**present, "users": users}
