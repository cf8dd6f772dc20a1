"""Whether this process is shutting down: set by the server, read by probes and streams. A leaf."""

from collections.abc import Callable

_is_draining = False
_callbacks: list[Callable[[], None]] = []


def is_draining() -> bool:
    """Whether this process is shutting down."""
    return _is_draining


def begin_draining() -> None:
    """Note that this process is shutting down."""
    global _is_draining
    _is_draining = True
    for call in _callbacks:
        call()


def on_drain(call: Callable[[], None]) -> None:
    """Call `call` when this process begins to shut down, in the server's event loop."""
    _callbacks.append(call)
