"""Lines that the log omits, and lines that it must keep."""

import io
import json
import logging
import re
import sys
import time

import pytest

from project import logs
from project.logs import Brief


def failed(name: str, seconds: float = 0.0, **extra: int) -> logging.LogRecord:
    """The record of an exception."""
    try:
        raise ConnectionError("closed by server")
    except ConnectionError:
        record = logging.LogRecord(name, logging.ERROR, "", 0, "Unexpected: %s", ("gone",), sys.exc_info())
    record.created = seconds
    vars(record).update(extra)
    return record


@pytest.mark.parametrize("name", logs.REPEATING)
def test_each_outage_is_one_line(name: str) -> None:
    brief = Brief()
    assert brief.filter(failed("another", 99))
    records = [failed(name, seconds) for seconds in (100, 101, 105, 112, 112 + logs.QUIET_SECONDS + 1)]
    assert [brief.filter(record) for record in records] == [True, False, False, False, True]
    assert logging.Formatter().format(records[0]) == "Unexpected: gone: ConnectionError: closed by server"


@pytest.mark.parametrize(("status", "has_traceback"), [(403, False), (400, False), (500, True)])
def test_a_refused_request_has_no_traceback_and_a_failed_one_has(status: int, has_traceback: bool) -> None:
    record = failed("django.request", status_code=status)
    assert Brief().filter(record)
    assert ("Traceback" in logging.Formatter().format(record)) == has_traceback


def test_unreadiness_is_logged_once() -> None:
    brief = Brief()
    assert [brief.filter(failed("django.request", at, status_code=503)) for at in (100, 101, 102)] == [
        True,
        False,
        False,
    ]
    assert brief.filter(failed("django.request", 103, status_code=500))


def test_other_errors_keep_their_traceback() -> None:
    record = failed("hubbub")
    assert Brief().filter(record)
    assert "Traceback" in logging.Formatter().format(record)


def logging_to(stream: io.StringIO, formatter: logging.Formatter) -> logging.Logger:
    handler = logs.BoundedHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("some.logger")
    logger.addHandler(handler)
    return logger


def test_a_line_has_time_level_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_PROCESS", "web-7")
    stream = io.StringIO()
    logging_to(stream, logs.Line()).warning("it is %s", "late")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 WARNING web-7 some\.logger: it is late\n", stream.getvalue()
    )


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x1b[2J", "\x85", "\u202e"])
def test_user_text_cannot_forge_a_log_line(end: str) -> None:
    stream = io.StringIO()
    logging_to(stream, logs.Line()).warning("Not Found: %s", f"/a{end}2026-01-01 ERROR forged")
    assert len(stream.getvalue().splitlines()) == 1
    assert end not in stream.getvalue().removesuffix("\n")


def test_a_traceback_is_indented_and_bounded() -> None:
    stream = io.StringIO()
    try:
        raise ValueError("\n2026-01-01T00:00:00.000+00:00 ERROR web-1 forged: line\n" * 10_000)
    except ValueError:
        logging_to(stream, logs.Line()).exception("it failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("some.logger: it failed")
    assert all(line.startswith("    ") for line in rest)
    assert len(stream.getvalue()) < 2 * logs.MAX_TRACEBACK_CHARS
    assert "lines more" in stream.getvalue()


def test_404s_with_15_kb_paths_are_cut_and_bounded_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SUMMARY_SECONDS", 0.2)
    stream = io.StringIO()
    logger = logging_to(stream, logs.Line())
    for _ in range(800):
        logger.warning("Not Found: %s", "/" + "a" * 15_000)
    logger.error("something else")
    assert len(stream.getvalue()) < 100_000
    assert "something else" in stream.getvalue()
    deadline = time.monotonic() + 10
    while "more lines" not in stream.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    written = stream.getvalue().count("Not Found")
    assert f"{800 - written} more lines of this logger and level omitted" in stream.getvalue()


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    try:
        raise ValueError("odd")
    except ValueError:
        logging_to(stream, logs.JsonLine()).exception("a\nb")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "some.logger", r"a\nb")
    assert entry["traceback"][-1] == "ValueError: odd"
