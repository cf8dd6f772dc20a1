"""The Python client: topics of a Hubbub server for bots and scripts. docs/clients.md shows how to use it.

    async with Client("wss://chat.example.org/ws/chat/", token=token) as hub:
        async for event in hub.topic("room/general"):
            ...

Needs no Django: a program that uses it has no settings.
"""

from typing import TYPE_CHECKING

from hubbub.process.lazy_names import lazy_names

if TYPE_CHECKING:
    from hubbub.client.client import Client
    from hubbub.client.errors import ConnectionEnded, ConnectionLost, TopicClosed
    from hubbub.client.observer import Observer
    from hubbub.client.subscription import Subscription
    from hubbub.protocol import Refused

__all__ = ["Client", "ConnectionEnded", "ConnectionLost", "Observer", "Refused", "Subscription", "TopicClosed"]

__getattr__ = lazy_names(
    __name__,
    {
        "Client": "hubbub.client.client",
        "ConnectionEnded": "hubbub.client.errors",
        "ConnectionLost": "hubbub.client.errors",
        "Observer": "hubbub.client.observer",
        "Refused": "hubbub.protocol",
        "Subscription": "hubbub.client.subscription",
        "TopicClosed": "hubbub.client.errors",
    },
)
