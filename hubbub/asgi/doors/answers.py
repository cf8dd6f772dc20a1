"""HTTP answers of the doors: JSON with a status that says what a socket says by its codes. A leaf."""

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from hubbub.protocol import CloseCode, Error, ErrorCode, encode

Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
NO_STORE: Header = (b"cache-control", b"no-store")

STATUSES = {
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.INVALID: 400,
    ErrorCode.TOO_LONG: 413,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_MANY: 400,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}

# By close code of a socket that was closed before its `hello`: the error code and what is wrong.
CLOSES = {
    CloseCode.UNAUTHORIZED: (ErrorCode.UNAUTHORIZED, "the token is not valid"),
    CloseCode.AUTH_TIMEOUT: (ErrorCode.UNAUTHORIZED, "sign in, or send a token: Authorization: Bearer …"),
    CloseCode.SESSION_ENDED: (ErrorCode.UNAUTHORIZED, "the session or token has ended"),
    CloseCode.FORBIDDEN: (
        ErrorCode.FORBIDDEN,
        "a session counts only from a page of this site: Origin, or Sec-Fetch-Site: same-origin",
    ),
    CloseCode.TOO_MANY: (ErrorCode.RATE_LIMITED, "too many connections"),
    CloseCode.RATE_LIMITED: (ErrorCode.RATE_LIMITED, "too often"),
    CloseCode.OVERLOADED: (ErrorCode.UNAVAILABLE, "the server is busy, or its database is out of reach"),
    CloseCode.RESTART: (ErrorCode.UNAVAILABLE, "this process restarts"),
    CloseCode.FRAME_TOO_BIG: (ErrorCode.TOO_LONG, "the command is too long"),
    CloseCode.ABUSE: (ErrorCode.INVALID, "not a command of this protocol"),
}
RETRY_SECONDS = 5


class Problem(Exception):
    """A request that is answered with an error.

    Args:
        code: an `ErrorCode`, or `csrf`.
        detail: for people.
        status: of HTTP; 0: the one of the code.
        headers: more of them.
        retry_after_ms: when to try again.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        status: int = 0,
        headers: Iterable[Header] = (),
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.status = status or STATUSES.get(code, 400)
        self.headers = [*headers]
        self.retry_after_ms = retry_after_ms

    def body(self) -> bytes:
        """The error as on the wire."""
        error = Error(code=self.code, detail=self.detail, retry_after_ms=self.retry_after_ms)
        return encode(error).encode()


def problem_of_close(code: int) -> Problem:
    """The answer in place of a close with this code."""
    return Problem(*CLOSES.get(code, (ErrorCode.INTERNAL, "internal error; the server has logged it")))


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer with an error."""
    status, headers = problem.status, [*problem.headers]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (429, 503):
        seconds = RETRY_SECONDS if problem.retry_after_ms is None else math.ceil(problem.retry_after_ms / 1000)
        headers.append((b"retry-after", b"%d" % seconds))
    await send_body(send, status, problem.body(), headers)


async def send_body(send: Send, status: int, body: bytes, headers: Iterable[Header] = ()) -> None:
    """Answer with JSON."""
    given = [*headers]
    if not any(name == b"cache-control" for name, _ in given):
        given.append(NO_STORE)
    if status != 304:  # It has no content, and the length of one would be stored by caches.
        given += [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    await start(send, status, given)
    await send({"type": "http.response.body", "body": body})


async def start(send: Send, status: int, headers: Iterable[Header]) -> None:
    """Send the head of an answer."""
    both = [*headers, (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": both})
