"""Signs of life of the processes of this machine or container, for health checks that cost next to nothing.

Each process has a file `<role>-<pid>` in a folder in memory: one folder for each data folder, so for each service. Its
time of modification is set again and again by what the process does all the time: to the monotonic clock, which all
processes of a machine share and no operator can set. That of a web server holds the address to ask instead.
Only the standard library is needed to read them.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

_MEMORY = Path("/dev/shm")  # noqa: S108 the folder in it is ours alone
_TEMPORARY = Path("/tmp")  # noqa: S108 as above
_BEAT_SECONDS = 1.0
_ASK_SECONDS = 2.0
# The longest that a healthy process may be silent. A periodic job may take a minute; a worker that waits for a job
# shows itself every fifteen seconds.
SILENCE_SECONDS = {"relay": 30.0, "worker": 45.0, "scheduler": 90.0}
ROLES = ("web", *SILENCE_SECONDS)


class Heartbeat:
    """The sign of life of this process."""

    def __init__(self, role: str, address: str = "") -> None:
        self._path: Path | None = None
        self._beaten = float("-inf")
        with suppress(OSError):  # a process works without a folder to show it in
            self._path = _folder() / f"{role}-{os.getpid()}"
            self._path.write_text(address)
            _mark(self._path)

    def beat(self) -> None:
        """Show that the process goes on. Cheap to call often."""
        if self._path is None or time.monotonic() - self._beaten < _BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        with suppress(OSError):
            _mark(self._path)

    def end(self) -> None:
        """Remove the sign."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def unwell(role: str | None) -> list[str]:
    """Return a sentence for each process that is not well, of this role or of all; and one when there is none."""
    found = list(_living(role))
    if not found:
        return [f"No {role or 'process of the service'} runs here."]
    return [sentence for path in found if (sentence := _problem_of(path))]


def _mark(path: Path) -> None:
    moment = time.monotonic()
    os.utime(path, (moment, moment))


def _problem_of(path: Path) -> str | None:
    role, _, pid = path.name.rpartition("-")
    try:
        address, silent = path.read_text(), time.monotonic() - path.stat().st_mtime
    except FileNotFoundError:
        return f"The {role} (process {pid}) is ending."
    if address:
        return None if _answers(address) else f"The {role} (process {pid}) does not answer."
    if silent > SILENCE_SECONDS[role]:
        return f"The {role} (process {pid}) gave its last sign of life {silent:.0f} s ago."
    return None


def _living(role: str | None) -> Iterator[Path]:
    """Yield the files of living processes; those of dead ones are removed."""
    with suppress(OSError):
        for path in sorted(_folder().iterdir()):
            name, _, pid = path.name.rpartition("-")
            if not _lives(pid):
                path.unlink(missing_ok=True)
            elif name in ROLES and role in (None, name):
                yield path


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _answers(address: str) -> bool:
    import urllib.request  # it costs more than all the rest, and only a web server needs it

    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=_ASK_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _folder() -> Path:
    """Return a folder of this user. Raises OSError, also for one that another user has made in its place."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else _TEMPORARY
    data = (
        Path(os.environ.get("TASKMANAGER_DATA_DIR") or ".data").expanduser().absolute()
    )  # as in core/configuration/settings.py
    folder = parent / f"taskmanager-{os.getuid()}-{crc32(bytes(data)):08x}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError("the folder for signs of life belongs to another user")
    return folder
