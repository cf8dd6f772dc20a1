"""What the tests of faults measured, told at the end of a run: the figures of docs/reliability.md are from there."""

import os

_greatest: dict[tuple[str, str], float] = {}


def note(what: str, value: float) -> None:
    """Of the running test; of several values the greatest is kept."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].rpartition(" ")[0]
    _greatest[test, what] = max(value, _greatest.get((test, what), value))


def lines() -> list[str]:
    tests = dict.fromkeys(test for test, _ in _greatest)
    return [
        f"{test}: " + ", ".join(f"{what} {value:.3g}" for (of, what), value in _greatest.items() if of == test)
        for test in tests
    ]
