"""Frames of the socket, by Channels' own test client. `served` is in place of a server's services."""

import json
from typing import Any

from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.test import TransactionTestCase

from echo.consumers import EchoConsumer
from hubbub.testing import served


class EchoTests(TransactionTestCase):
    def setUp(self) -> None:
        self.client.force_login(get_user_model().objects.create(username="alice"))

    def opened(self, origin: str = "http://testserver") -> WebsocketCommunicator:
        session = self.client.cookies["sessionid"].value
        headers = [(b"host", b"testserver"), (b"origin", origin.encode()), (b"cookie", f"sessionid={session}".encode())]
        return WebsocketCommunicator(EchoConsumer.as_asgi(), "/ws/echo/", headers)

    async def ask(self, socket: WebsocketCommunicator, **frame: Any) -> Any:
        await socket.send_to(json.dumps(frame))
        return json.loads(await socket.receive_from())

    async def test_a_text_comes_back(self) -> None:
        async with served():
            socket = self.opened()
            self.assertEqual(await socket.connect(), (True, None))
            hello = json.loads(await socket.receive_from())
            self.assertEqual((hello["type"], hello["user"]["name"]), ("hello", "alice"))
            answer = await self.ask(socket, type="echo", ref=1, text="Hello")
            self.assertEqual(answer, {"type": "ok", "ref": 1, "text": "Hello"})
            answer = await self.ask(socket, type="echo", ref=2, text="x" * 1001)
            self.assertEqual((answer["type"], answer["code"]), ("error", "too_long"))
            await socket.disconnect()

    async def test_another_site_cannot_use_the_session(self) -> None:
        async with served():
            connected, code = await self.opened("http://evil.example").connect()
        self.assertEqual((connected, code), (False, 4005))
