"""Whether this process is about to end: set by the server, read by probes. A leaf."""

_is_draining = False


def is_draining() -> bool:
    """Whether this process is about to end."""
    return _is_draining


def begin_draining() -> None:
    global _is_draining
    _is_draining = True
