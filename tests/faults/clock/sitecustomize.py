"""Lets a test shift the clock of a Python process: the offset is read from a file.

Python imports this module at the start if its folder is in PYTHONPATH.
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
