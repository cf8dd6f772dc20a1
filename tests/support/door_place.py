"""Two processes with doors, for tests of HTTP and server-sent events."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.door_client import Door, Stream, by_cookie, by_token
from tests.support.servers import Server, Site

ROOM = "room/lounge"


class Place:
    """Two processes, and the users alice (a member) and bob."""

    def __init__(self, site: Site, servers: list[Server]) -> None:
        self.site = site
        self.servers = servers
        self.alice = site.make_user("alice")
        self.bob = site.make_user("bob")

    def door(self, process: int, name: str = "alice") -> Door:
        return by_token(self.servers[process].url, getattr(self, name)["token"])

    def page(self, process: int, name: str = "alice") -> Door:
        return by_cookie(self.servers[process].url, getattr(self, name)["cookie"])

    async def post(self, process: int, body: str, name: str = "alice") -> dict[str, Any]:
        answer = await self.door(process, name).command("message.post", topic=ROOM, id=str(uuid4()), body=body)
        assert answer.status == 200, answer
        result: dict[str, Any] = answer.json["result"]
        return result


@contextmanager
def serving_doors(folder: Path, kind: str = "hubbub") -> Iterator[Place]:
    site = Site(folder, HUBBUB_HEARTBEAT_SECONDS="1", HUBBUB_PRESENCE_GRACE_SECONDS="0")
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    with site.serving(kind, 2) as servers:
        yield Place(site, servers)
        for server in servers:
            assert "Traceback" not in server.log.read_text()


async def joined(stream: Stream, ref: int = 0) -> dict[str, Any]:
    """Wait for the answer to the join of this topic of the address."""
    return await stream.frame("ok", ref=ref)
