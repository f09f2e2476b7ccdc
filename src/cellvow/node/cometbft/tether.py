"""Runs a program that dies with the process that started it: `tether.py PARENT PROGRAM ARGUMENT...`.

A file to be run, not a module to be imported: it replaces itself by the program. The kernel kills what is tethered
the moment its parent is gone, however it went (Linux); elsewhere the program only does not start under a dead parent.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From `linux/prctl.h`; the order holds across exec, and falls with the thread that started the process."""
EXIT_ORPHAN = 1


def main() -> None:
    """Tether this process, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have died before the order was given.
    if os.getppid() != parent:
        sys.exit(EXIT_ORPHAN)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted; the caller names the program by its path


if __name__ == "__main__":
    main()
