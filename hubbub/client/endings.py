"""How a connection ended, and so whether and when the client connects again. Pure."""

import ssl
from dataclasses import dataclass

from hubbub.client.errors import ConnectionEnded
from hubbub.client.observer import Frame
from hubbub.client.timing import CALM_SECONDS, MAX_CALM_SECONDS, STEADY_SECONDS
from hubbub.protocol import CloseCode

ABNORMAL = 1006  # RFC 6455, 7.1.5: no close frame came.
# HTTP answers that pass: timeout, too early, too many requests.
PASSING = (408, 425, 429)
# What a socket is closed with where a stream is refused, by the status of an error of the server's own.
CLOSES = {401: CloseCode.UNAUTHORIZED, 403: CloseCode.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a connection, or of an attempt to connect.

    Attributes:
        code: the close code.
        reason: in words.
        error: the client does not connect again.
        calm_seconds: to wait before the back-off.
        is_fresh: the back-off starts anew.
    """

    code: int = ABNORMAL
    reason: str = ""
    error: ConnectionEnded | None = None
    calm_seconds: float = 0.0
    is_fresh: bool = False


def by_close(code: int, reason: str, refusal: Frame | None, seconds: float) -> Ending:
    """The ending by a close frame.

    Args:
        code: of the frame; 1006: there was none.
        reason: of the frame.
        refusal: the error that the server sent before.
        seconds: since `hello`; negative: there was none.
    """
    if refusal is not None:
        reason = f"{refusal.get('code')}: {refusal.get('detail')}"
    reason = reason or "the connection was lost"
    error = ConnectionEnded(code, reason) if 4000 <= code < 4100 else None
    asked = 0.0 if refusal is None else _bounded((refusal.get("retry_after_ms") or 0) / 1000)
    calm = CALM_SECONDS if code == CloseCode.RATE_LIMITED else 0.0
    is_fresh = seconds >= STEADY_SECONDS or (seconds >= 0 and code == CloseCode.RESTART)
    return Ending(code, reason, error, max(asked, calm), is_fresh)


def by_status(status: int, retry_after: str | None, error: Frame | None = None, *, is_first: bool) -> Ending:
    """The ending by the HTTP answer to a handshake, or to a request for a stream.

    Args:
        status: of the answer.
        retry_after: its header.
        error: the server's own, in the body.
        is_first: the client has never been connected, so the address or the right to it may be wrong.
    """
    reason = f"the server answered HTTP {status}"
    if error is not None:
        reason = f"{error['code']}: {error['detail']}"
        if (code := CLOSES.get(status)) is not None:
            return Ending(code, reason, ConnectionEnded(code, reason))
    if is_first and 300 <= status < 500 and status not in PASSING:
        return Ending(reason=reason, error=ConnectionEnded(status, _hint(status)))
    calm = _bounded(float(retry_after)) if retry_after is not None and retry_after.isdecimal() else 0.0
    return Ending(reason=reason, calm_seconds=calm)


def by_failure(failure: Exception, *, is_first: bool) -> Ending:
    """The ending by an error: of the network, of TLS, or by a broken frame."""
    reason = str(failure) or type(failure).__name__
    if isinstance(failure, TimeoutError):
        reason = "the server does not answer"
    if is_first and isinstance(failure, ssl.SSLCertVerificationError):
        return Ending(
            reason=reason, error=ConnectionEnded(0, f"the certificate is not valid: {failure.verify_message}")
        )
    return Ending(reason=reason)


def _hint(status: int) -> str:
    if status < 400:
        return "the server redirects; give the address itself, with wss:// where the site has TLS"
    if status == 404:
        return "there is no endpoint at this address"
    return "the server refuses the connection"


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_CALM_SECONDS)
