"""Lets a test set the clock of a process: what Python programs read as the time of day is later by what a file says.

Python imports this at the start where its folder stands in PYTHONPATH.
"""

import os
import time
from pathlib import Path

_file = Path(os.environ["TEST_CLOCK"])
_time = time.time


def _set_time() -> float:
    return _time() + float(_file.read_text() or 0)


time.time = _set_time
time.time_ns = lambda: int(_set_time() * 1e9)
