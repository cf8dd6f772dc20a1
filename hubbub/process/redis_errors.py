"""The cause of a Redis error in words, the same in every log line and in `/readyz`. A leaf: knows redis-py only."""

import re
import socket
import ssl
from collections.abc import Iterator

from redis import exceptions

MAX_CHARS = 200
CLUSTER = "it is a Redis Cluster, which is not supported: use one Redis, or one with replicas"

# By the first word of an error reply: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
REPLIES = {
    "OOM": "out of memory (maxmemory is reached)",
    "READONLY": "read-only: it is a replica",
    "NOAUTH": "authentication failed: a password is required",
    "WRONGPASS": "authentication failed: wrong user or password",
    "NOPERM": "permission denied: the ACL of the user forbids a command or key",
    "LOADING": "it is still loading its data",
    "MASTERDOWN": "it is a replica that has lost its master",
    "NOREPLICAS": "it has too few replicas to accept writes",
    "MISCONF": "it refuses writes: its snapshot cannot be saved (disk full?)",
    "BUSY": "busy: a script blocks it",
    "MOVED": CLUSTER,
    "ASK": CLUSTER,
    "CROSSSLOT": CLUSTER,
    "CLUSTERDOWN": CLUSTER,
    "DENIED": "it is in protected mode: it accepts only its own host",
}
CLASSES: dict[type[BaseException], str] = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.MovedError: "MOVED",
    exceptions.AskError: "ASK",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.ClusterCrossSlotError: "CROSSSLOT",
    exceptions.AuthenticationWrongNumberOfArgsError: "WRONGPASS",
}


def cause_of(error: BaseException) -> str:
    """Name the cause in one clause: out of memory, read-only, wrong CA, connection refused, timeout …

    Args:
        error: as redis-py raised it, or an error raised from one. An unknown error keeps its type and text.

    Returns:
        At most MAX_CHARS characters, none of them control characters.
    """
    chain = [*_chain(error)]
    for find in (_tls_cause, _reply_cause, _network_cause):
        for each in chain:
            if words := find(each):
                return words
    text = str(error)
    # Our own errors are sentences; other types say more than their text.
    words = text if type(error).__module__.startswith("hubbub.") and text else f"{type(error).__name__}: {text}"
    words = re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]+", " ", words.removesuffix(": "))
    return words if len(words) <= MAX_CHARS else f"{words[: MAX_CHARS - 1]}…"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error`, its causes, and errors among its arguments: redis-py wraps some that way."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (each.__cause__, each.__context__, *each.args)
        waiting += [wrapped for wrapped in inner if isinstance(wrapped, BaseException)]


def _tls_cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted: {error.verify_message or error.reason} (wrong CA?)"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error} (is it a TLS port?)"
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:  # redis-py keeps only the text of some.
        reason = re.search(r"certificate verify failed: ([^(\[\n]+)", text)
        return f"its TLS certificate is not trusted: {reason[1].strip() if reason else 'verify failed'} (wrong CA?)"
    return ""


def _reply_cause(error: BaseException) -> str:
    for kind, word in CLASSES.items():
        if isinstance(error, kind):
            return REPLIES[word]
    if not isinstance(error, exceptions.RedisError):
        return ""
    text = str(error)
    word = text.partition(" ")[0].removeprefix("-")
    if word in REPLIES:
        return REPLIES[word]
    if isinstance(error, exceptions.AuthenticationError):
        # redis-py strips the first word of these.
        needs_password = re.search(
            "authentication required|already authenticated|without any password", text, re.IGNORECASE
        )
        return REPLIES["NOAUTH"] if needs_password else REPLIES["WRONGPASS"]
    if "max number of clients" in text:
        return "it has reached its maximum number of clients"
    if isinstance(error, exceptions.MaxConnectionsError):
        return "too many connections of this process"
    if isinstance(error, exceptions.InvalidResponse):
        return "the server is not a Redis (wrong port?)"
    return ""


def _network_cause(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, FileNotFoundError):
        return "its UNIX socket does not exist"
    if isinstance(error, PermissionError):
        return "permission denied on its UNIX socket"
    if isinstance(error, socket.gaierror):
        return "its host name cannot be resolved"
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionResetError | BrokenPipeError | EOFError):
        return "connection lost"
    text = str(error)
    if isinstance(error, exceptions.ConnectionError) and ("closed by server" in text or "Connection lost" in text):
        return "connection lost"
    if isinstance(error, OSError) and type(error).__module__ == "builtins" and error.strerror:
        return error.strerror.lower()
    return ""
