"""Run a command that ends when its parent ends: `python child.py SIGNAL COMMAND [ARGUMENT …]`.

A supervisor killed with -9 cannot stop its children. Linux can: it sends the signal set with
PR_SET_PDEATHSIG at the moment the parent dies, and the setting survives `exec`. On other systems this script only
replaces itself with the command. It runs as a plain file (`python -S child.py`), which starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def wrap(command: list[str], *, on_orphaned: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return the command line that runs `command` under this guard."""
    return [sys.executable, "-S", "-E", __file__, on_orphaned.name, *command]


def main(arguments: list[str]) -> None:
    """Set the signal, then replace this process with the command."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.Signals[arguments[0]])
    if os.getppid() != parent:
        sys.exit(1)  # the parent died before the signal was set
    os.execvp(arguments[1], arguments[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
