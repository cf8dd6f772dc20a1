"""`python -m hubbub.client URL room/general`: print the events of topics as JSON lines, or send a command."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from hubbub.process.extras import missing
from hubbub.protocol import CloseCode, Refused, from_json, to_json

if TYPE_CHECKING:
    from hubbub.client import Client

TOKEN = "HUBBUB_TOKEN"  # noqa: S105 - the name of a variable
NO_ANSWER_SECONDS = 30.0
INTERRUPTED = 130  # As a shell reports a program that SIGINT has ended.
BROKEN_PIPE = 141
EPILOG = f"""The token comes from the variable {TOKEN} or from --token-file. Exit codes: 0; 1: refused, or no answer;
2: wrong arguments; 130: Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    new = argparse.ArgumentParser(
        prog="python -m hubbub.client", description=__doc__, epilog=EPILOG, allow_abbrev=False
    )
    new.add_argument("url", help="such as wss://chat.example.org/ws/chat/, or https://chat.example.org/live/")
    new.add_argument("topics", nargs="+", metavar="topic", help="an address, such as room/general")
    new.add_argument("--token-file", type=Path, metavar="PATH", help=f"has the access token, instead of {TOKEN}")
    new.add_argument("--send", metavar="TEXT", help="post a message to a room, print the result, and end")
    new.add_argument(
        "--command",
        nargs="+",
        metavar=("TYPE", "NAME=VALUE"),
        help="send a command to a topic, print the result, and end; a value is JSON, or else a text",
    )
    new.add_argument(
        "--timeout", type=float, default=NO_ANSWER_SECONDS, metavar="SECONDS", help="for an answer (%(default)g)"
    )
    return new


def token_of(path: Path | None) -> str:
    """The access token. Raises OSError, and UnicodeDecodeError, which is a ValueError."""
    return (path.read_text() if path is not None else os.environ.get("HUBBUB_TOKEN") or "").strip()


def fields_of(texts: Sequence[str]) -> dict[str, Any]:
    """The arguments of a command, from `name=value`. Raises ValueError."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ValueError(f"{text!r} is not NAME=VALUE")
        try:
            fields[name] = from_json(value)
        except (msgspec.MsgspecError, RecursionError):
            fields[name] = value
    return fields


def command_of(given: argparse.Namespace) -> tuple[str, dict[str, Any]] | None:
    """The command to send, if there is one. Raises ValueError."""
    if given.send is None and given.command is None:
        return None
    if given.send is not None and given.command is not None:
        raise ValueError("give --send or --command, not both")
    if len(given.topics) > 1:
        raise ValueError("a command goes to one topic")
    if given.send is not None:
        return "message.post", {"id": str(uuid4()), "body": given.send}
    kind, *texts = given.command
    return kind, fields_of(texts)


def write(value: Any) -> None:
    """Print a value as a line of JSON."""
    sys.stdout.write(to_json(value).decode() + "\n")
    sys.stdout.flush()


async def send(client: "Client", topic: str, kind: str, fields: dict[str, Any], seconds: float) -> None:
    """Send the command and print its result."""
    try:
        async with asyncio.timeout(seconds), client as hub:
            write(await hub.send(topic, kind, **fields))
    except TimeoutError:
        raise ConnectionError(f"no answer within {seconds:g} s") from None


async def show(client: "Client", topics: Sequence[str]) -> None:
    """Print the events of the topics until the first of them is closed."""

    async def show_one(address: str) -> None:
        async for event in hub.topic(address):
            write(event)

    async with client as hub:
        tasks = [asyncio.create_task(show_one(address)) for address in dict.fromkeys(topics)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def hint(problem: ConnectionError, token: str) -> str:
    """What to do about an error: the server says the same of a token that is wrong and of none."""
    if token or getattr(problem, "code", None) != CloseCode.UNAUTHORIZED:
        return ""
    return f"; no token was given: set {TOKEN}, or name a --token-file"


def fail(text: str, code: int = 1) -> int:
    """Print an error in one line, and return the exit code."""
    print(f"python -m hubbub.client: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - the output of a command
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    given = parser().parse_args(arguments)
    if (line := missing("client", "websockets", "hubbub.client")) is not None:
        return fail(line)
    from hubbub.client import Client

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        command = command_of(given)
        token = token_of(given.token_file)
        client = Client(given.url, token=token)
    except (ValueError, OSError) as problem:
        return fail(str(problem), 2)
    try:
        if command is None:
            asyncio.run(show(client, given.topics))
        else:
            asyncio.run(send(client, given.topics[0], *command, given.timeout))
    except BrokenPipeError:
        # Nobody reads any more, as by `| head`. The interpreter would write its buffer at the end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Refused as refused:
        return fail(f"{given.topics[0]}: {refused.code}: {refused.detail}" if command else str(refused))
    except ConnectionError as problem:
        return fail(f"{problem}{hint(problem, token)}")
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
