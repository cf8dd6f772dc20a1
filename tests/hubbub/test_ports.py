"""Ports and the lock of the data folder: a second run on them is refused."""

import os
import socket
from pathlib import Path

import pytest

from hubbub.process.ports import InUse, bind, claim_port, lock_folder

pytestmark = pytest.mark.slow


def test_a_port_is_taken_by_a_listener_that_would_share_it() -> None:
    first = bind("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with first, bind("127.0.0.1", port), pytest.raises(InUse, match=f"Port {port} on 127.0.0.1 is in use"):
        claim_port("127.0.0.1", port)
    assert claim_port("127.0.0.1", port) == port


def test_ipv6_and_addresses_that_are_not_ours() -> None:
    with bind("::1", claim_port("[::1]", 0)) as listener:
        assert listener.family == socket.AF_INET6
    with pytest.raises(InUse, match="not an address of this machine"):
        claim_port("192.0.2.1", 0)
    with pytest.raises(InUse, match="not an address of this machine"):
        claim_port("not a host", 0)


def test_a_lock_lives_as_long_as_any_copy_of_it(tmp_path: Path) -> None:
    held = lock_folder(tmp_path)
    copy = os.dup(held)
    os.close(held)
    with pytest.raises(InUse):
        lock_folder(tmp_path)
    os.close(copy)
    os.close(lock_folder(tmp_path))
