"""Looking at and ending a process that a killed run may have left behind."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def recorded(pid_file: Path, *, folder: Path) -> int | None:
    """Return the id in `pid_file` if such a process lives and has to do with `folder`.

    The second condition matters after a reboot, when the number may belong to anybody.
    """
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        return pid if is_running(pid) and concerns(pid, folder) else None
    return None


def concerns(pid: int, folder: Path) -> bool:
    """Return most name the folder in their command line; Valkey rewrites that, but works in the folder."""
    process = Path(f"/proc/{pid}")
    with suppress(OSError):
        place = (process / "cwd").readlink()
        return str(folder).encode() in (process / "cmdline").read_bytes() or place.is_relative_to(folder)
    return False


def end(pid: int, *, patience: float = 8.0) -> None:
    """Stop a process: ask first, insist after `patience` seconds."""
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
    """Return whether the process lives; one that ended and was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
