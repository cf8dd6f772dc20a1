"""Each way to revoke access, as code that another process runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.cluster import Cluster
from tests.support.revocation import SECONDS, timed

FIND = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.utils import timezone
from hubbub.models import AccessToken
from hubbub.auth import revoke_token
from chat import services
from chat.models import Membership, Room
from hubbub.publish import flush, publish
publish("nobody", "{{}}")  # Connect before the measurement.
flush()
user = get_user_model().objects.get(username={name!r})
"""
SESSION_ENDS = {
    "session deleted": "Session.objects.all().filter(pk__in=[s.pk for s in Session.objects.all()"
    " if s.get_decoded().get('_auth_user_id') == str(user.pk)]).delete()",
    "password changed": "user.set_password('another'); user.save()",
    "deactivated": "user.is_active = False; user.save()",
    "deleted": "user.delete()",
}
TOKEN_ENDS = {
    "revoked": "revoke_token(user.access_tokens.get())",
    "deleted": "user.access_tokens.get().delete()",
    "deactivated": "user.is_active = False; user.save()",
    "fewer scopes": "token = user.access_tokens.get(); token.scopes = 'chat.write'; token.save()",
    "said to expire": "token = user.access_tokens.get(); token.expires_at = timezone.now(); token.save()",
}
PERMISSION_ENDS = {
    "permission taken away": "user.user_permissions.clear()",
    "permission taken from its users": "Permission.objects.get(codename='view_dashboard').user_set.remove(user)",
}
GROUP_ENDS = {
    "left the group": "user.groups.clear()",
    "group lost the permission": "Group.objects.get(name={name!r}).permissions.clear()",
    "group deleted": "Group.objects.get(name={name!r}).delete()",
}


# Rooms


MEMBER_ENDS: dict[str, tuple[str, str]] = {
    "removed by the service": ("removed", "services.remove_membership(room_id=room.pk, user_id=user.pk)"),
    "removed in a shell": ("removed", "Membership.objects.get(room=room, user=user).delete()"),
    "banned by the service": (
        "banned",
        "services.set_membership(room_id=room.pk, user_id=user.pk, banned_until=timezone.now() + timedelta(days=1))",
    ),
    "room deleted in a shell": ("deleted", "room.delete()"),
}


# Readers, who are in by a permission


READER_ENDS: dict[str, tuple[str, str]] = {
    "permission taken away": (
        "user.user_permissions.set([Permission.objects.get(codename='read_any_room')])",
        "user.user_permissions.clear()",
    ),
    "group lost the permission": (
        "group = Group.objects.create(name={name!r}); user.groups.add(group)\n"
        "group.permissions.add(Permission.objects.get(codename='read_any_room'))",
        "Group.objects.get(name={name!r}).permissions.clear()",
    ),
}


# Hints that are not given, or lost


UNTOLD: dict[str, tuple[str, str]] = {
    "bulk deactivation": ("cookie", "get_user_model().objects.filter(pk=user.pk).update(is_active=False)"),
    "raw deletion of the session": (
        "cookie",
        "from django.db import connection\n"
        "connection.cursor().execute('DELETE FROM django_session WHERE session_key = %s', [{cookie!r}])",
    ),
    "bulk revocation": ("token", "AccessToken.objects.filter(user=user).update(revoked_at=timezone.now())"),
    "bulk change of the password": ("cookie", "get_user_model().objects.filter(pk=user.pk).update(password='other')"),
}


async def change(cluster: Cluster, name: str, code: str) -> float:
    """Run the code in another process; return the latest possible time of its change."""
    printed = await asyncio.to_thread(
        cluster.shell, FIND.format(name=name) + code + "\nimport time; print(time.monotonic())"
    )
    return float(printed.splitlines()[-1])


@asynccontextmanager
async def ended_by(
    cluster: Cluster, name: str, code: str, *, by: str = "cookie", path: str = "/ws/chat/", seconds: float = SECONDS
) -> AsyncIterator[tuple[int, str]]:
    """The close of the user's socket after the change. Another user's socket stays."""
    mine = await asyncio.to_thread(cluster.make_user, name, "view_dashboard")
    other = await asyncio.to_thread(cluster.make_user, "bystander", "view_dashboard")
    async with (
        cluster.client(path, process="web-2", **{by: mine[by]}) as client,
        cluster.client(path, process="web-2", **{by: other[by]}) as bystander,
    ):
        closing = asyncio.create_task(timed(client.closed(60)))
        changed_at = await change(cluster, name, code)
        async with asyncio.timeout(seconds + 5):
            close, at = await closing
        assert at - changed_at < seconds
        yield close
        assert (await bystander.request("ping"))["type"] == "pong"
