"""The case of endings: on each server, SIGTERM to one of two processes, and sockets that do not read."""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Container, Coroutine, Iterator, Sequence
from typing import Any

from bench import machine, report
from bench.asgi_servers import KINDS, OnServer, with_ours
from bench.ending_clients import Author, Closed, Follower, StuckReader
from bench.environment import Ground
from bench.load_client import Broken
from bench.scenarios.fanout import Say, installed
from bench.stats import Row, Table, latest, spread

SOCKETS = 200
OPENING = 32  # Sockets that connect at once, before the end.
AUTHORS = 20
POST_SECONDS = 1.0  # Each author posts once within it.
RUSH = 4  # Posts of each author just before the signal: they are in flight when it comes.
CALM_SECONDS = 2.0
END_SECONDS = 40.0
CAUGHT_UP_SECONDS = 15.0

STUCK = 20
WARM_POSTS = 100
BIG_POSTS = 700  # More than the kernel keeps for a socket that does not read.
BIG_BODY = "\U0001f642" * 3_900  # 15.6 KB
WINDOW = 8
GIVEN_UP_SECONDS = 4.0  # After the last post: servers may wait before they cut.
QUIET_SECONDS = 3.0

# The columns of the document, by quantity, beside those of the closes.
ENDING_HEADS = {
    "process_s": "process ends after, s",
    "spread_s": "first to last close, s",
    "back_s": "all back after, s",
    "away_s": "longest without a connection, s",
    "unanswered": "posts of the rush without an answer, of {in_flight}",
    "saved_only": "of these saved",
    "lost": "acknowledged posts lost",
    "missing": "missing at readers",
}
COUNTS = ("unanswered", "saved_only", "lost", "missing")
SLOW_HEADS = {"grown_mib": "growth of memory for each socket, MiB"}
END, SLOW = "end ", "slow "  # Quantities that begin so count sockets by their close.


def endings(ground: Ground, rounds: int, say: Say, only: Sequence[str] = (), sockets: int = SOCKETS) -> Table:
    """One server after the other, two processes of each; a round has each server once."""
    table = Table("endings", f"SIGTERM with {sockets:,} sockets, and {STUCK} sockets that do not read", "back_s")
    kinds = installed(KINDS, say, with_ours(only))
    for number in range(rounds):
        for kind in kinds:
            if (row := table.row(kind.name)) is None:
                table.rows.append(row := kind(ground).row())
            try:
                with _site(ground, kind) as sides:
                    asyncio.run(_end(row, sides, sockets))
                    asyncio.run(_slow(row, sides[1]))
            except (Broken, Closed, TimeoutError, RuntimeError, sqlite3.Error) as problem:
                row.problems.append(f"{type(problem).__name__}: {problem}")
        say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'back_s')}")
    return table


@contextlib.contextmanager
def _site(ground: Ground, kind: type[OnServer]) -> Iterator[list[OnServer]]:
    """Two processes on one Redis."""
    with contextlib.ExitStack() as stack:
        socket = ground.redis_socket(f"endings-{kind.name}")
        stack.enter_context(machine.unrestricted_redis(socket, ground.folder))
        sides = [kind(ground, redis_socket=socket) for _ in range(2)]
        for side in sides:
            stack.callback(side.stop)
            side.start()
        yield sides


# The end of a process


async def _end(row: Row, sides: Sequence[OnServer], sockets: int) -> None:
    followers = [Follower(sides, index) for index in range(sockets)]
    authors = [Author(sides, index) for index in range(AUTHORS)]
    places = asyncio.Semaphore(OPENING)

    async def enter(follower: Follower) -> None:
        async with places:
            await follower.enter(sides[0])

    async with asyncio.timeout(END_SECONDS):
        await asyncio.gather(*(enter(follower) for follower in followers))
        for author in authors:
            await author.line.open(sides[0], author.index)
    async with _running([follower.follow() for follower in followers]):
        writing = [asyncio.create_task(author.run()) for author in authors]
        async with _running([_post(author, index) for index, author in enumerate(authors)]):
            await asyncio.sleep(CALM_SECONDS)
            for _ in range(RUSH):
                for author in authors:
                    await author.post()
            signal_at = time.perf_counter()
            row.add(process_s=await _terminate(sides[0]))
            saved_there, _ = _saved(sides[0])
            for author in authors:
                author.may_repeat.set()
            async with asyncio.timeout(END_SECONDS):
                await asyncio.gather(*writing)
                while not all(follower.back_at for follower in followers):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        saved, position = _saved(sides[0])
        await _until_caught_up(followers, position)
    note(row, signal_at, followers)
    note_posts(row, signal_at, authors, saved_there, saved)
    for follower in followers:
        follower.line.close()


@contextlib.asynccontextmanager
async def _running(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _post(author: Author, index: int) -> None:
    await asyncio.sleep(POST_SECONDS * index / AUTHORS)
    while not author.is_closed:
        await author.post()
        await asyncio.sleep(POST_SECONDS)


async def _terminate(side: OnServer) -> float:
    """Send SIGTERM; seconds until the process has ended."""
    assert side.program is not None
    process, began = side.program.process, time.perf_counter()
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.to_thread(process.wait, END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Broken(f"{side.name} has not ended within {END_SECONDS:.0f} s") from None
    return time.perf_counter() - began


def _saved(side: OnServer) -> tuple[set[str], int]:
    """Ids of the messages in the room, and the room's position, read beside Django."""
    with contextlib.closing(sqlite3.connect(side.ground.folder / "hubbub.sqlite3")) as database:
        room, position = database.execute("SELECT id, position FROM chat_room WHERE slug = ?", (side.room,)).fetchone()
        rows = database.execute("SELECT client_id FROM chat_message WHERE room_id = ?", (room,))
        return {message_id for (message_id,) in rows}, position


async def _until_caught_up(followers: Sequence[Follower], position: int) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CAUGHT_UP_SECONDS):
            while any(follower.position < position for follower in followers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for follower in followers:
        follower.missing += max(0, position - follower.position)


def note(row: Row, signal_at: float, followers: Sequence[Follower]) -> None:
    """Add the figures of the members of one end."""
    closes = [follower.closed_at for follower in followers]
    row.add(
        spread_s=max(closes) - min(closes),
        back_s=max(follower.back_at for follower in followers) - signal_at,
        away_s=max(follower.back_at - follower.closed_at for follower in followers),
        missing=sum(follower.missing for follower in followers),
    )
    count_closes(row, END, [follower.closed for follower in followers])


def note_posts(
    row: Row, signal_at: float, authors: Sequence[Author], saved_there: Container[str], saved: Container[str]
) -> None:
    """Add the figures of the posts of one end.

    Args:
        saved_there: ids in the database when the process has ended, before any post is repeated; without hyphens.
        saved: ids in the database at the end.
    """
    in_flight = unanswered = saved_only = lost = 0
    for author in authors:
        received = [message_id for message_id, at in author.sent.items() if at <= signal_at]
        silent = [message_id for message_id in received if message_id not in author.answered_before_close]
        in_flight += len(received[-RUSH:])
        unanswered += len(silent)
        saved_only += sum(stored(message_id) in saved_there for message_id in silent)
        lost += sum(stored(message_id) not in saved for message_id in author.acknowledged)
    row.add(in_flight=in_flight, unanswered=unanswered, saved_only=saved_only, lost=lost)


def stored(message_id: str) -> str:
    """As SQLite has it."""
    return message_id.replace("-", "")


def count_closes(row: Row, kind: str, closes: Sequence[Closed | None]) -> None:
    counts = Counter("open" if closed is None else f"{closed.code} {closed.reason}".strip() for closed in closes)
    row.add(**{f"{kind}{close}": count for close, count in counts.items()})


# Sockets that do not read


async def _slow(row: Row, side: OnServer) -> None:
    author = Author([side, side], 0)
    await author.line.open(side, 0)
    await _post_big(author, WARM_POSTS)
    stuck = [StuckReader() for _ in range(STUCK)]
    for index, reader in enumerate(stuck):
        await reader.join(side, index)
    await asyncio.sleep(side.settle_seconds)
    before = most = machine.resident_bytes(side.pid)

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, machine.resident_bytes(side.pid))
            await asyncio.sleep(0.02)

    async with _running([watch()]):
        await _post_big(author, BIG_POSTS)
        await asyncio.sleep(GIVEN_UP_SECONDS)
    closes = await asyncio.gather(*(reader.read_to_the_end(QUIET_SECONDS) for reader in stuck))
    row.add(grown_mib=(most - before) / STUCK / 2**20)
    count_closes(row, SLOW, closes)
    for line in (author.line, *stuck):
        line.close()


async def _post_big(author: Author, count: int) -> None:
    """Post so many big messages, a few in flight, and return when all are answered."""
    began = len(author.answered)
    async with asyncio.timeout(END_SECONDS * 2):
        for number in range(count):
            await author.post(BIG_BODY)
            while began + number + 1 - len(author.answered) >= WINDOW:
                author.take(await author.line.text())
        while len(author.answered) < began + count:
            author.take(await author.line.text())
    if len(author.acknowledged) != len(author.answered):
        raise Broken("a big post was refused")


# The text


def as_markdown(table: Table) -> str:
    in_flight = max((sum(row.samples.get("in_flight", [])) for row in table.rows), default=0)
    heads = {name: head.format(in_flight=f"{in_flight:,.0f}") for name, head in ENDING_HEADS.items()}
    parts = ["SIGTERM to one of two processes", report.markdown(*lines(table, END, heads))]
    parts += [f"{STUCK} sockets that do not read", report.markdown(*lines(table, SLOW, SLOW_HEADS))]
    return "\n\n".join(parts) + report.problems(table)


def lines(table: Table, kind: str, heads: dict[str, str]) -> tuple[Sequence[str], list[Sequence[str]]]:
    body = [[row.label, close_text(row, kind), *(_figure(row, name) for name in heads)] for row in table.rows]
    return ["", "closes", *heads.values()], [*body]


def _figure(row: Row, quantity: str) -> str:
    """Sums of counts, over all rounds; medians of all else."""
    samples = row.samples.get(quantity, [])
    return f"{sum(samples):,.0f}" if quantity in COUNTS and samples else spread(samples)


def close_text(row: Row, kind: str) -> str:
    """Each close code and reason; where they differ, with the number of its sockets in all rounds."""
    counts = {name.removeprefix(kind): sum(found) for name, found in row.samples.items() if name.startswith(kind)}
    if len(counts) == 1:
        return f"all {next(iter(counts))}"
    return ", ".join(f"{count:,.0f} × {close}" for close, count in sorted(counts.items()))
