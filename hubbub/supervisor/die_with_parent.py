"""Run a command that ends with its parent, however that ends: `python -I -S die_with_parent.py PARENT_PID COMMAND …`.

A program of its own rather than a `preexec_fn`, which must not run in a process that has threads. Imports nothing of
ours.
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
        return  # It died before the kernel was asked to tell us.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on.
    os.execv(command[0], command)  # noqa: S606 - the command is our caller's own


if __name__ == "__main__":
    main()
