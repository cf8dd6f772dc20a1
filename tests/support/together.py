"""Calls in several threads at the same instant, each with a database connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from hubbub.process import thread_connections

SECONDS = 20.0


def run_together(*calls: Callable[[], Any], as_ours: bool = False) -> list[Any]:
    """Run each in a thread.

    Args:
        calls: without arguments.
        as_ours: with the time limits on PostgreSQL of the threads of `hubbub.threads`.

    Returns:
        For each its result, or the exception that it raised.
    """
    start = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        if as_ours:
            thread_connections.limit()
        try:
            start.wait(SECONDS)
            results[number] = call()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            results[number] = error
        finally:
            connections.close_all()
            thread_connections._connections.pop(threading.get_ident(), None)

    running = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(SECONDS)
        assert not thread.is_alive()
    return results


def meeting(seconds: float = 0.5) -> Callable[[], None]:
    """A call in which two threads meet, once. The first goes on alone after `seconds`: SQLite has one writer."""
    barrier = threading.Barrier(2)

    def meet() -> None:
        try:
            barrier.wait(seconds)
        except threading.BrokenBarrierError:
            pass
        else:
            barrier.abort()

    return meet
