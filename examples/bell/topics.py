"""A topic of one user each: the number of unread notifications, and the newest ones."""

from collections.abc import Collection, Mapping
from typing import Any

from bell.models import Notification
from hubbub import VIEW, Topic, command

SHOWN = 5


class BellTopic(Topic, name="bell", key=int):
    """`bell/7` is that of the user with the primary key 7."""

    personal = True  # Thousands of them are cheap.
    follows = {Notification: lambda notification: notification.user_id}

    def may_view(self, user: Any) -> bool:
        return bool(user.pk == self.key)

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> Mapping[Any, Collection[Any]]:
        """As `may_view`, without a query: open bells are checked again by it."""
        return {key: [user for user in users if user.pk == key] for key, users in keys.items()}

    def state(self) -> dict[str, Any]:
        mine = Notification.objects.filter(user=self.key)
        newest = mine.order_by("-pk").values_list("text", flat=True)[:SHOWN]
        return {"unread": mine.filter(is_read=False).count(), "newest": list(newest)}

    @command("bell.read", permission=VIEW)
    def read(self, user: Any) -> None:
        """Mark all as read, on all pages of the user."""
        if Notification.objects.filter(user=user, is_read=False).update(is_read=True):
            self.changed()  # `update` sends no signal, so nothing follows it.
