"""Log lines with time, level and process: bounded in length and number, and safe against forged lines.

The formatters and the handler apply to all loggers.
"""

import logging
import os
import re
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from hubbub.protocol import encode

# They retry and log about once a second while Redis or PostgreSQL is unavailable.
REPEATING = ("channels_redis.pubsub", "psycopg.pool")
QUIET_SECONDS = 10.0

MAX_MESSAGE_CHARS = 1_000
MAX_TRACEBACK_CHARS = 8_000
MAX_TRACEBACK_LINE_CHARS = 400

# Limits for one logger and level: lines at once, and in the long run.
BURST_LINES = 50
LINES_PER_SECOND = 5.0
SUMMARY_SECONDS = 5.0
# It limits each kind of event itself, so that one kind does not suppress the others.
UNLIMITED = ("hubbub.security",)

# Control characters, line separators and bidirectional controls: text of an attacker must not start a line, control the
# terminal, or change how a line reads.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, max_chars: int = MAX_MESSAGE_CHARS) -> str:
    """Return `text` as one line of about `max_chars` characters, with unsafe characters as escapes such as \\n."""
    cut = f"… ({len(text) - max_chars} more characters)" if len(text) > max_chars else ""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text[:max_chars]) + cut


class Line(logging.Formatter):
    """Formats `2026-11-26T21:00:32.123+00:00 WARNING web-1 hubbub.publish: message`, then an indented traceback."""

    def format(self, record: logging.LogRecord) -> str:
        time_text, process = _time(record), _process(record)
        first = f"{time_text} {record.levelname} {process} {plain(record.name, 100)}: {plain(_message(record))}"
        return "\n".join([first, *(f"    {line}" for line in _traceback(record))])


class LogLine(msgspec.Struct, omit_defaults=True):
    time: str
    level: str
    process: str
    logger: str
    message: str
    traceback: list[str] = []


class JsonLine(logging.Formatter):
    """Formats the same as one JSON object per line; `traceback` is a list of lines."""

    def format(self, record: logging.LogRecord) -> str:
        line = LogLine(
            time=_time(record),
            level=record.levelname,
            process=_process(record),
            logger=plain(record.name, 100),
            message=plain(_message(record)),
            traceback=_traceback(record),
        )
        return encode(line)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _process(record: logging.LogRecord) -> str:
    return plain(os.environ.get("HUBBUB_PROCESS") or f"pid-{record.process}", 60)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - a line with wrong arguments is still logged
        return f"{record.msg} ({type(error).__name__} in its arguments)"


def _traceback(record: logging.LogRecord) -> list[str]:
    """The lines of the traceback. From a long one: its start, and more of its end, which matters most."""
    text = ""
    if record.exc_info and record.exc_info[0]:
        text = "".join(traceback.format_exception(*record.exc_info))
    if record.stack_info:
        text += record.stack_info
    lines = [plain(line, MAX_TRACEBACK_LINE_CHARS) for line in text.splitlines()]
    if sum(map(len, lines)) <= MAX_TRACEBACK_CHARS:
        return lines
    head, tail = _first(lines, MAX_TRACEBACK_CHARS // 4), _first(lines[::-1], MAX_TRACEBACK_CHARS * 3 // 4)[::-1]
    return [*head, f"… ({len(lines) - len(head) - len(tail)} lines more)", *tail]


def _first(lines: list[str], max_chars: int) -> list[str]:
    first, length = [], 0
    for line in lines:
        length += len(line)
        if length > max_chars:
            break
        first.append(line)
    return first


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes at most BURST_LINES at once and LINES_PER_SECOND per logger and level, then the count of omitted lines."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._budgets: dict[tuple[str, int], _Budget] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write or omit a record. The caller has the handler's lock."""
        if record.name in UNLIMITED:
            super().emit(record)
            return
        budget = self._budgets.setdefault((record.name, record.levelno), _Budget())
        if budget.take():
            super().emit(record)
        elif budget.omitted == 1:
            # One timer per burst writes the count, even if no further line comes.
            timer = threading.Timer(SUMMARY_SECONDS, self._summarize, (record.name, record.levelno))
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                budget.omitted = 0  # The interpreter is shutting down and starts no threads.

    def flush(self) -> None:
        try:
            super().flush()
        except (OSError, ValueError):
            pass  # The terminal or the pipe is gone.

    def _summarize(self, name: str, level: int) -> None:
        with self.lock or threading.Lock():
            budget = self._budgets[name, level]
            omitted, budget.omitted = budget.omitted, 0
            if omitted:
                text = f"{omitted} more lines of this logger and level omitted within {SUMMARY_SECONDS:g} s"
                super().emit(logging.LogRecord(name, level, "", 0, text, (), None))


class _Budget:
    __slots__ = ("_left", "_refilled_at", "omitted")

    def __init__(self) -> None:
        self._left = float(BURST_LINES)
        self._refilled_at = time.monotonic()
        self.omitted = 0

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(BURST_LINES, self._left + (now - self._refilled_at) * LINES_PER_SECOND)
        self._refilled_at = now
        if self._left < 1:
            self.omitted += 1
            return False
        self._left -= 1
        return True


class Brief(logging.Filter):
    """Shortens a refused request (below 500), and an outage of Redis or PostgreSQL, to one line."""

    def __init__(self) -> None:
        super().__init__()
        self._failed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # A load balancer repeats requests that get 503.
        if record.name in REPEATING or getattr(record, "status_code", 0) == 503:
            return self._is_new(record)
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True

    def _is_new(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()}: {type(error).__name__}: {error}"
            record.args = record.exc_info = None
        quiet_seconds = record.created - self._failed_at.get(record.name, float("-inf"))
        self._failed_at[record.name] = record.created
        return quiet_seconds > QUIET_SECONDS
