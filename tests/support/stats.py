"""Measurements of the fault tests, printed at the end of a run. The figures of docs/reliability.md come from them."""

import os

_greatest: dict[tuple[str, str], float] = {}


def note(what: str, value: float) -> None:
    """Record a measurement of the running test; the greatest value is kept."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].rpartition(" ")[0]
    _greatest[test, what] = max(value, _greatest.get((test, what), value))


def lines() -> list[str]:
    tests = dict.fromkeys(test for test, _ in _greatest)
    return [
        f"{test}: " + ", ".join(f"{what} {value:.3g}" for (of, what), value in _greatest.items() if of == test)
        for test in tests
    ]
