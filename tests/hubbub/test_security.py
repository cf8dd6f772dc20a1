"""Security events: one counted line each, safe from forgery and floods."""

import ast
import re
import threading
from typing import Any

import pytest

from hubbub.process import security_log
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import LINES_PER_SECOND, MAX_CHARS, Kind, address_of, log_event


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets; nothing has been logged yet."""
    now = [1000.0]
    monkeypatch.setattr(security_log.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(security_log, "_lines", {})
    monkeypatch.setattr(COUNTERS, "security_events", type(COUNTERS.security_events)())
    return now


def lines(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "hubbub.security"]


def test_an_event_is_one_counted_line_with_user_and_address(caplog: Any) -> None:
    log_event(
        Kind.ORIGIN_REFUSED, address="203.0.113.7", user="alice", connection="web-1:5c", detail="https://x.example"
    )
    log_event(Kind.TOKEN_REFUSED, user=7)
    assert lines(caplog) == [
        "origin_refused address=203.0.113.7 user=alice connection=web-1:5c 'https://x.example'",
        "token_refused address=- user=7 connection=-",
    ]
    assert COUNTERS.security_events == {"origin_refused": 1, "token_refused": 1}


@pytest.mark.parametrize(
    "hostile",
    [
        "x\nWARNING hubbub.process.security_log: token_refused",
        "x\r\x1b[2K",
        "x\u2028y",
        "\u202egnp.exe",
        "x address=127.0.0.1 user=root",
        "x' user='root",
        "y" * 10_000,
    ],
)
def test_a_forged_log_line_by_a_value_of_the_attackers(caplog: Any, hostile: str) -> None:
    log_event(Kind.ORIGIN_REFUSED, address="203.0.113.7", user=hostile, detail=hostile)
    [line] = lines(caplog)
    assert line.isprintable()
    value = r"""('[^']*'|"[^"]*"|y+)"""
    match = re.fullmatch(rf"origin_refused address=203\.0\.113\.7 user={value} connection=- {value}", line)
    assert match, line
    assert ast.literal_eval(match[2]) == hostile[:MAX_CHARS]


@pytest.mark.slow
def test_a_flood_of_events_does_not_fill_the_log_nor_hide_others(caplog: Any, clock: list[float]) -> None:
    for _ in range(1000):
        log_event(Kind.ORIGIN_REFUSED)
    log_event(Kind.TOKEN_REFUSED)
    assert len(lines(caplog)) == LINES_PER_SECOND + 1
    assert COUNTERS.security_events == {"origin_refused": 1000, "token_refused": 1}
    clock[0] += 1
    log_event(Kind.ORIGIN_REFUSED)
    log_event(Kind.ORIGIN_REFUSED)
    assert f"{1000 - LINES_PER_SECOND} earlier events only counted" in lines(caplog)[-2]
    assert "only counted" not in lines(caplog)[-1]


def test_an_event_that_is_not_to_be_repeated_is_logged_again_when_its_time_is_over(
    caplog: Any, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_log, "_logged_at", {})
    monkeypatch.setattr(security_log, "MAX_REMEMBERED", 2)

    def read(user: str) -> int:
        log_event(Kind.ROOM_READ, user=user, detail="attic", quiet_seconds=60)
        return len(lines(caplog))

    assert [read("1"), read("1"), read("2"), read("1")] == [1, 1, 2, 2]
    assert COUNTERS.security_events == {"room_read": 2}
    clock[0] += 61
    assert [read("1"), read("1")] == [3, 3]
    assert [read("2"), read("3"), read("1")] == [4, 5, 6]  # Past the bound the oldest is forgotten.
    log_event(Kind.ROOM_READ, user="1", detail="attic")
    assert len(lines(caplog)) == 7


def test_events_of_many_threads_are_all_counted() -> None:
    def log_many() -> None:
        for _ in range(500):
            log_event(Kind.TOKEN_REFUSED)

    threads = [threading.Thread(target=log_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert COUNTERS.security_events["token_refused"] == 4000


@pytest.mark.parametrize(
    ("client", "address"),
    [(["203.0.113.7", 4711], "203.0.113.7"), (("::1", 1), "::1"), (None, None), (["", 0], None)],
)
def test_the_address_of_a_handshake(client: Any, address: str | None) -> None:
    assert address_of({"client": client}) == address
    assert address_of({}) is None
