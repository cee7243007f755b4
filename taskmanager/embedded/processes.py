"""Functions to find and end a process that a killed run may have left behind."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def recorded(pid_file: Path, *, folder: Path) -> int | None:
    """Return the id in `pid_file` if this process runs and uses `folder`; None otherwise.

    The second condition matters after a reboot, when another process may have the id.
    """
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        return pid if is_running(pid) and concerns(pid, folder) else None
    return None


def concerns(pid: int, folder: Path) -> bool:
    """Return whether a process uses a folder: its command line names it, or it is the working directory.

    Valkey overwrites its command line, but works in the folder.
    """
    process = Path(f"/proc/{pid}")
    with suppress(OSError):
        working = (process / "cwd").readlink()
        return str(folder).encode() in (process / "cmdline").read_bytes() or working.is_relative_to(folder)
    return False


def end(pid: int, *, patience: float = 8.0) -> None:
    """Stop a process by SIGTERM, and by SIGKILL after `patience` seconds."""
    for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        if _gone_within(pid, seconds):
            return


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_running(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
