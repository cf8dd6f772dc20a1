"""Rooms in all states of the page, and a person who sees them."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from tests.support.cluster import Cluster


@dataclass(frozen=True)
class Rooms:
    """The person's session, and the slugs of the rooms.

    full: Days, code, folded texts, deleted messages, links and right-to-left texts, the last of them new. private: of
    others, which the person reads as staff. doomed: to be deleted by the test.
    """

    name: str
    cookie: str
    full: str
    empty: str
    archived: str
    private: str
    doomed: str


async def make_rooms(cluster: Cluster) -> Rooms:
    mark = uuid4().hex[:6]
    name = f"ada-{mark}"
    slugs = {kind: f"{kind}-{mark}" for kind in ("full", "empty", "archived", "private", "doomed")}
    code = f"""
        from datetime import timedelta
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Permission
        from django.test import Client
        from chat import posting, services
        from chat.models import Message, PersonalState
        slugs, users = {slugs!r}, get_user_model().objects
        ada, _ = users.get_or_create(username={name!r}, defaults=dict(is_staff=True))
        names = ("add_room", "change_room", "view_room", "read_any_room", "view_dashboard")
        ada.user_permissions.add(*Permission.objects.filter(codename__in=names))
        others = [users.get_or_create(username=other)[0] for other in ("bert", "Nur Rahmani", "çelebi")]
        rooms = {{
            kind: services.create_room(
                slug=slug, title=f"{{kind.title()}} {mark}", description="Everything about " + kind,
                is_private=kind == "private",
            )
            for kind, slug in slugs.items()
        }}
        services.set_membership(room_id=rooms["full"].pk, user_id=ada.pk, role="moderator")
        services.set_membership(room_id=rooms["empty"].pk, user_id=ada.pk)
        for other in others:
            services.set_membership(room_id=rooms["full"].pk, user_id=other.pk)
            services.set_membership(room_id=rooms["private"].pk, user_id=other.pk)

        def post(author, body, kind="full"):
            posted = posting.post_message(user_id=author.pk, slug=slugs[kind], client_id=uuid4(), body=body)
            return posted.seq

        bert, nur, celebi = others
        for kind in ("archived", "private", "doomed"):
            post(bert, "The only message here.", kind)
        old = post(bert, "From some days before.")
        Message.objects.filter(room=rooms["full"], seq=old).update(at=Message.objects.get(
            room=rooms["full"], seq=old).at - timedelta(days=3))
        post(bert, "See https://example.org/a and **bold**, *slanted*, ~~gone~~, `code`.\\n\\n- one\\n\\n> said before")
        post(nur, "\\n".join(f"line {{number}}" for number in range(40)))
        post(celebi, "```python\\n" + "\\n".join(f"print({{number}})" for number in range(30)) + "\\n```")
        post(nur, "مرحبا، هذا نص من اليمين إلى اليسار مع https://example.org/x.")
        gone = [post(celebi, f"to be deleted {{number}}") for number in range(4)]
        for seq in gone[:3]:
            services.delete_message(user_id=celebi.pk, slug=slugs["full"], seq=seq)
        post(ada, "My own first words.")
        services.delete_message(user_id=ada.pk, slug=slugs["full"], seq=post(ada, "my own mistake"))
        read = post(bert, "The last one that was read.")
        for number in range(24):
            post(bert if number % 2 else celebi, f"New words, number {{number}}.")
        PersonalState.objects.update_or_create(user=ada, room=rooms["full"], defaults=dict(read_seq=read))
        services.change_room(room_id=rooms["archived"].pk, is_archived=True)
        browser = Client()
        browser.force_login(ada)
        print(browser.cookies["sessionid"].value)
        """
    cookie = await asyncio.to_thread(cluster.shell, code)
    return Rooms(name, cookie, **slugs)
