"""The server's event loop serves all sockets in turn, however many are readable."""

import selectors
import socket
from contextlib import ExitStack

from hubbub.server.event_loop import MAX_EVENTS, BoundedSelector

CROWD = 3 * MAX_EVENTS


def test_each_turn_serves_a_few_sockets_and_skips_none() -> None:
    with ExitStack() as stack, BoundedSelector() as selector:
        for number in range(CROWD):
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
            selector.register(ours, selectors.EVENT_READ, number)
            theirs.send(b"x")
        turns = [selector.select(0) for _ in range(3)]
        assert [len(turn) for turn in turns] == [MAX_EVENTS] * 3
        # Nobody has been read, so all are ready still: those told of come after those who wait.
        assert sorted(key.data for turn in turns for key, _ in turn) == list(range(CROWD))


def test_the_selector_returns_the_same_as_its_base() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, BoundedSelector() as bounded, selectors.EpollSelector() as base:
        for selector in (bounded, base):
            selector.register(ours, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(theirs, selectors.EVENT_READ)
        theirs.send(b"x")
        for timeout in (0, 0.001, None):
            assert bounded.select(timeout) == base.select(timeout) != []
        ours.recv(1)
        for selector in (bounded, base):
            selector.modify(ours, selectors.EVENT_READ)
        assert bounded.select(0.001) == base.select(0) == []
        theirs.close()
        assert [events for _, events in bounded.select(1)] == [selectors.EVENT_READ]
