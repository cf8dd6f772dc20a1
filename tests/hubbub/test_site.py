"""Locks of modules and a fork: Celery's children, say, are forked while a thread of the parent is at work."""

import importlib
import os
import threading

import pytest


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("hubbub.site", "_lock"),
        ("hubbub.process.security_log", "_lock"),
        ("hubbub.publish.process_sender", "_lock"),
        ("project.accounts.login_throttle", "_lock"),
        ("project.accounts.hashing", "_making"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12 warns of what is tested.
def test_a_child_that_is_forked_while_a_thread_holds_the_lock_does_not_wait_for_it(module: str, name: str) -> None:
    loaded = importlib.import_module(module)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with getattr(loaded, name):
            is_held.set()
            may_end.wait(10)

    thread = threading.Thread(target=hold)
    if module != "hubbub.publish.process_sender":  # The sender waits for its lock before it forks.
        thread.start()
        assert is_held.wait(10)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if getattr(loaded, name).acquire(timeout=5) else 1)
    _, status = os.waitpid(pid, 0)
    may_end.set()
    if thread.ident is not None:
        thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
