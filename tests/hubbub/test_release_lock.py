"""One release at a time on one database."""

import os
import threading
import time

import pytest
from django.db import connection

from hubbub.supervisor.release_lock import Busy, release_lock

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def test_a_second_release_says_that_it_waits_and_goes_on_when_the_first_is_done() -> None:
    said: list[str] = []
    order: list[str] = []
    held = threading.Event()

    def first() -> None:
        with release_lock(5, said.append):
            held.set()
            while not said:
                time.sleep(0.01)
            order.append("first")
        connection.close()

    other = threading.Thread(target=first)
    other.start()
    assert held.wait(10)
    with release_lock(10, said.append):
        order.append("second")
    other.join()
    assert order == ["first", "second"]
    assert said == ["another release holds the lock of this database; waiting up to 10 s"]


def test_the_wait_for_another_release_is_bounded() -> None:
    with release_lock(1, print):
        started = time.monotonic()
        with pytest.raises(Busy), release_lock(0.5, lambda text: None):
            pass
        assert 0.4 < time.monotonic() - started < 5
    with release_lock(0, print):
        pass


def test_a_release_that_fails_lets_go() -> None:
    with pytest.raises(ZeroDivisionError), release_lock(1, print):
        raise ZeroDivisionError
    with release_lock(0, print):
        pass


def test_the_lock_leaves_nothing_of_itself_in_the_database() -> None:
    if connection.vendor == "sqlite":
        with release_lock(1, print):
            assert os.path.exists(f"{connection.settings_dict['NAME']}.release-lock")
        return
    advisory = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    # Of the transaction, which holds no snapshot: a pooler keeps no lock of it, and neither vacuum nor an index waits.
    idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xmin IS NULL"
    with release_lock(1, print):
        assert (counted(advisory), counted(idle)) == (1, 1)
    assert (counted(advisory), counted(idle)) == (0, 0)


def counted(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        count: int = cursor.fetchone()[0]
        return count
