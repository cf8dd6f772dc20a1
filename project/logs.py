"""The lines of the log: with time, level and process; of bounded length and number; none that somebody else can forge.

The formatters and the handler here do all of that for every logger.
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

# They try, and say so, about once a second while Redis or PostgreSQL is away.
REPEATING = ("channels_redis.pubsub", "psycopg.pool")
QUIET_SECONDS = 10.0

MAX_MESSAGE_CHARS = 1_000
MAX_TRACEBACK_CHARS = 8_000
MAX_TRACEBACK_LINE_CHARS = 400

# Of one logger and level: this many lines at once, and in the long run.
BURST_LINES = 50
LINES_PER_SECOND = 5.0
SUMMARY_SECONDS = 5.0
# They have bounds of their own, by kind: one kind must not hide the others.
UNLIMITED = ("hubbub.security",)

# Control characters, line separators, and what changes the direction of text: an attacker's words must not become
# a line of their own, move the cursor, or look like something else.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, most: int = MAX_MESSAGE_CHARS) -> str:
    """`text` on one line of at most about `most` characters: what is unsafe becomes an escape such as \\n."""
    cut = f"… ({len(text) - most} more characters)" if len(text) > most else ""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text[:most]) + cut


class Line(logging.Formatter):
    """`2026-11-26T21:00:32.123+00:00 WARNING web-1 hubbub.publish: message`; lines of a traceback are indented."""

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
    """The same as one JSON object per line; `traceback` is a list of lines."""

    def format(self, record: logging.LogRecord) -> str:
        found = LogLine(
            time=_time(record),
            level=record.levelname,
            process=_process(record),
            logger=plain(record.name, 100),
            message=plain(_message(record)),
            traceback=_traceback(record),
        )
        return encode(found)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _process(record: logging.LogRecord) -> str:
    return plain(os.environ.get("HUBBUB_PROCESS") or f"pid-{record.process}", 60)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments must not cost the line
        return f"{record.msg} ({type(error).__name__} in its arguments)"


def _traceback(record: logging.LogRecord) -> list[str]:
    """Its beginning and, longer, its end, which tells most."""
    text = ""
    if record.exc_info and record.exc_info[0]:
        text = "".join(traceback.format_exception(*record.exc_info))
    if record.stack_info:
        text += record.stack_info
    lines = [plain(line, MAX_TRACEBACK_LINE_CHARS) for line in text.splitlines()]
    if sum(map(len, lines)) <= MAX_TRACEBACK_CHARS:
        return lines
    head, tail = _within(lines, MAX_TRACEBACK_CHARS // 4), _within(lines[::-1], MAX_TRACEBACK_CHARS * 3 // 4)[::-1]
    return [*head, f"… ({len(lines) - len(head) - len(tail)} lines more)", *tail]


def _within(lines: list[str], most: int) -> list[str]:
    kept, length = [], 0
    for line in lines:
        length += len(line)
        if length > most:
            break
        kept.append(line)
    return kept


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes at most BURST_LINES at once and LINES_PER_SECOND of each logger and level; then how many it left out."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._budgets: dict[tuple[str, int], _Budget] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        if record.name in UNLIMITED:
            super().emit(record)
            return
        budget = self._budgets.setdefault((record.name, record.levelno), _Budget())
        if budget.take():
            super().emit(record)
        elif budget.omitted == 1:
            # One timer per burst: the count is written also when nothing more comes.
            timer = threading.Timer(SUMMARY_SECONDS, self._summarize, (record.name, record.levelno))
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                budget.omitted = 0  # At the very end there are no threads any more.

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
                text = f"and {omitted} more lines of this logger and level within {SUMMARY_SECONDS:g} s"
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
    """One line for a refused request (below 500), and one for an outage of Redis or PostgreSQL, however long."""

    def __init__(self) -> None:
        super().__init__()
        self._failed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # 503: what a load balancer asks again and again.
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
