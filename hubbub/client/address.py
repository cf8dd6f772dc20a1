"""The address of an endpoint: of WebSockets, or of HTTP and server-sent events."""

from urllib.parse import urlsplit


def check_url(url: str) -> None:
    """Raises ValueError: not the address of an endpoint."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss", "http", "https"):
        raise ValueError(f"{url!r} is no address of an endpoint: it begins with wss://, ws://, https:// or http://")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host")
    if parts.fragment or parts.username is not None:
        raise ValueError("the address of an endpoint has no user name and no fragment")
    if is_http(url) and (parts.query or not parts.path.endswith("/")):
        raise ValueError(f"{url!r} is no address of HTTP: it is that of the site's live/, with the last slash")
    if not url.isascii() or any(character.isspace() for character in url):
        raise ValueError(f"{url!r} has a character that belongs in no address")
    _ = parts.port  # Raises ValueError if it is no port.


def check_token(url: str, token: str) -> None:
    """Raises ValueError: the token fits into no header."""
    if is_http(url) and not (token.isascii() and all(character.isprintable() for character in token)):
        raise ValueError("the token has a character that belongs in no header")


def is_http(url: str) -> bool:
    """Whether the endpoint is reached by HTTP, and not by a WebSocket."""
    return url.partition(":")[0].lower() in ("http", "https")
