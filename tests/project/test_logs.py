"""What the log leaves out, and what it must not."""

import logging
import sys

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
def test_an_outage_is_told_once_in_one_line_and_the_next_one_again(name: str) -> None:
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


def test_that_we_are_not_ready_is_told_once_however_often_it_is_asked() -> None:
    brief = Brief()
    assert [brief.filter(failed("django.request", at, status_code=503)) for at in (100, 101, 102)] == [
        True,
        False,
        False,
    ]
    assert brief.filter(failed("django.request", 103, status_code=500))


def test_other_errors_keep_their_traceback() -> None:
    record = failed("realtime")
    assert Brief().filter(record)
    assert "Traceback" in logging.Formatter().format(record)
