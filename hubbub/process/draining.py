"""Whether this process is shutting down: set by the server, read by probes. A leaf."""

_is_draining = False


def is_draining() -> bool:
    """Whether this process is shutting down."""
    return _is_draining


def begin_draining() -> None:
    """Note that this process is shutting down."""
    global _is_draining
    _is_draining = True
