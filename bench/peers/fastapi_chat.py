"""A chat on FastAPI: Redis pub/sub between processes, a connection manager in each. As its users write it.

`/ws` forwards each message; `/ws/saved` saves it to SQLite first. REDIS_URL, BENCH_CHANNEL, BENCH_DATABASE.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator

import redis.asyncio as redis
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

CHANNEL = os.environ["BENCH_CHANNEL"]


class ConnectionManager:
    def __init__(self) -> None:
        self.connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.connections.remove(websocket)

    async def broadcast(self, text: str) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await connection.send_text(text)


class Messages:
    """A connection for each thread, and the same settings of SQLite as the other side."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def save(self, text: str) -> None:
        with self._connection() as connection:
            connection.execute("INSERT INTO fastapi_message (text) VALUES (?)", (text,))

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite3.connect(self._path, timeout=2)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS fastapi_message (id INTEGER PRIMARY KEY, text TEXT)")
            connection.commit()
        return connection


manager = ConnectionManager()
messages = Messages(os.environ["BENCH_DATABASE"])
client = redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=None)


async def listen() -> None:
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            if message["type"] == "message":
                await manager.broadcast(message["data"])


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    task = asyncio.create_task(listen())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    try:
        while True:
            await client.publish(CHANNEL, await websocket.receive_text())
    except WebSocketDisconnect:
        manager.disconnect(websocket)


@app.websocket("/ws/saved")
async def saved_chat(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await run_in_threadpool(messages.save, text)
            await client.publish(CHANNEL, text)
    except WebSocketDisconnect:
        manager.disconnect(websocket)
