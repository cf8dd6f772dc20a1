"""Run a command that ends with its parent, even on SIGKILL: `python -I -S die_with_parent.py PARENT_PID COMMAND …`.

It is a program instead of a `preexec_fn`, which is unsafe in a process with threads. Imports only the standard library.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); kept across exec


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        return  # The parent ended before prctl took effect.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores SIGPIPE, and exec would inherit that.
    os.execv(command[0], command)  # noqa: S606 - the caller chooses the command


if __name__ == "__main__":
    main()
