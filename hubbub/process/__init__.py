"""This process: its name and host, its counters, its security log, and objects per event loop.

The names are loaded when they are used first: some read Django's settings.
"""

from typing import TYPE_CHECKING

from hubbub.process.lazy_names import lazy_names

if TYPE_CHECKING:
    from hubbub.process.host import Host
    from hubbub.process.metrics import COUNTERS, Counters
    from hubbub.process.per_loop import PerLoop
    from hubbub.process.security_log import Kind, log_event
    from hubbub.process.steps import step_with_pause
    from hubbub.process.this_process import PROCESS, Process
    from hubbub.process.times import as_stored, utc

__all__ = [
    "COUNTERS",
    "PROCESS",
    "Counters",
    "Host",
    "Kind",
    "PerLoop",
    "Process",
    "as_stored",
    "log_event",
    "step_with_pause",
    "utc",
]

__getattr__ = lazy_names(
    __name__,
    {
        "COUNTERS": "hubbub.process.metrics",
        "PROCESS": "hubbub.process.this_process",
        "Counters": "hubbub.process.metrics",
        "Host": "hubbub.process.host",
        "Kind": "hubbub.process.security_log",
        "PerLoop": "hubbub.process.per_loop",
        "Process": "hubbub.process.this_process",
        "as_stored": "hubbub.process.times",
        "log_event": "hubbub.process.security_log",
        "step_with_pause": "hubbub.process.steps",
        "utc": "hubbub.process.times",
    },
)
