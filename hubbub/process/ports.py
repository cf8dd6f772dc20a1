"""Listening sockets of several processes on one port, and the locks that keep two runs apart."""

import errno
import fcntl
import os
import socket
import time
from pathlib import Path

BACKLOG = 1024


class InUse(Exception):
    """Another program uses the port or folder; the text is for people."""


def claim_port(host: str, port: int) -> int:
    """Check that the port is free.

    A plain bind is used: a second SO_REUSEPORT bind would succeed beside another listener.

    Returns:
        `port`, or a free port for 0.

    Raises:
        InUse: another program listens there.
    """
    family, address = _resolve(host, port)
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise InUse(_reason(error, host, port)) from None
        bound: int = probe.getsockname()[1]
        return bound


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket for one process; the kernel spreads connections over all processes that listen on the port."""
    family, address = _resolve(host, port)
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise InUse(_reason(error, host, port)) from None
    return listener


def lock_folder(folder: Path, *, wait_seconds: float = 0.0) -> int:
    """Lock `folder` itself, so no lock file can be left behind.

    Returns:
        A descriptor; the lock lasts while any copy of it is open.

    Raises:
        InUse: the lock is held for longer than `wait_seconds`.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise InUse(f"{folder} is in use.") from None
            time.sleep(0.05)
        else:
            return descriptor


def _resolve(host: str, port: int) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise InUse(f"{host} is not an address of this machine: {error.strerror}.") from None
    return family, address  # type: ignore[return-value]


def _reason(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use: stop the other program, or choose another port with --port."
        case errno.EACCES:
            return f"Port {port} needs privileges that this user lacks: choose one above 1023 with --port."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine: choose another with --host."
    return f"Cannot listen on {host} port {port}: {error.strerror}."
