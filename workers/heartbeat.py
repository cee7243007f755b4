"""Heartbeats of the processes on this machine or in this container, for cheap health checks.

Each process has a file `<role>-<identity>` in a folder in memory; there is one folder for each data folder, and so for
each service. The main loop of the process sets the file's modification time to the monotonic clock, which all processes
of a machine share and no operator can set. The file of a web server contains the URL for the health check instead.
Reading them needs only the standard library.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from taskmanager.core.telemetry import process_identity

_MEMORY = Path("/dev/shm")  # noqa: S108 the folder in it belongs to this user alone
_TEMPORARY = Path("/tmp")  # noqa: S108 as above
_UNIX = "unix:"
_BEAT_SECONDS = 1.0
_YOUNG_SECONDS = 60.0
_ASK_SECONDS = 2.0
# The maximum time between heartbeats of a healthy process. A periodic job may take a minute; a worker that waits for a
# job sends one every fifteen seconds.
SILENCE_SECONDS = {"relay": 30.0, "worker": 45.0, "scheduler": 90.0, "stream": 30.0}
ROLES = ("web", *SILENCE_SECONDS)
_locks: dict[Path, int] = {}  # descriptors of the folders of this container, which forks have, too


class Heartbeat:
    """The heartbeat of this process."""

    def __init__(self, role: str, address: str = "") -> None:
        self.role = role
        self._path: Path | None = None
        self._address = address
        self._beaten = float("-inf")
        with suppress(OSError):  # a process works without the folder too
            self._path = own_folder() / f"{role}-{process_identity.own()}"
            self._path.write_text(address)
            _mark(self._path)

    def beat(self) -> None:
        """Send a heartbeat, at most one a second. Cheap to call often."""
        if self._path is None or time.monotonic() - self._beaten < _BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        with suppress(OSError):
            if not self._path.exists():  # deleted by a release before, which names the files otherwise
                self._path.write_text(self._address)
            _mark(self._path)

    def end(self) -> None:
        """Delete the file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def unhealthy(role: str | None) -> list[str]:
    """Return a sentence for each unhealthy process of this role (None: of all); one sentence when no process runs."""
    found = list(_living(role))
    if not found:
        return [f"No {role or 'process of the service'} runs here."]
    return [sentence for path in found if (sentence := _problem_of(path))]


def _mark(path: Path) -> None:
    moment = time.monotonic()
    os.utime(path, (moment, moment))


def _problem_of(path: Path) -> str | None:
    role, _, identity = path.name.rpartition("-")
    pid = identity.partition(".")[0]
    try:
        address, silent = path.read_text(), time.monotonic() - path.stat().st_mtime
    except FileNotFoundError:
        return f"The {role} (process {pid}) is ending."
    if address:
        return None if _responds(address) else f"The {role} (process {pid}) does not respond."
    if silent > SILENCE_SECONDS[role]:
        return f"The {role} (process {pid}) sent its last heartbeat {silent:.0f} s ago."
    return None


def _living(role: str | None) -> Iterator[Path]:
    """Yield the files of running processes, and delete those of dead ones."""
    with suppress(OSError):
        for path in sorted(folder().iterdir()):
            name, _, identity = path.name.rpartition("-")
            if not process_identity.lives(identity):
                path.unlink(missing_ok=True)
            elif name in ROLES and role in (None, name):
                yield path


def _responds(address: str) -> bool:
    import urllib.request  # slow to import, and only needed for a web server

    if address.startswith(_UNIX):
        return _responds_on(Path(address.removeprefix(_UNIX)))

    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=_ASK_SECONDS) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _responds_on(socket: Path) -> bool:
    from workers import unix_http  # as above

    try:
        return unix_http.get(socket, "/health/live", _ASK_SECONDS)[0] == 200
    except OSError:
        return False


def folder(purpose: str = "") -> Path:
    """Return the folder for heartbeats, or for another purpose of the processes of this service on this machine.

    Each container has its own, also where several have one `/dev/shm`, as those of a pod do: in it a process would take
    those of the others for dead ones, and delete their files.

    Raises OSError, also when another user has created the folder.
    """
    parent, container = _MEMORY if os.access(_MEMORY, os.W_OK) else _TEMPORARY, process_identity.namespace()
    found = parent / (f"{_name()}-{container}{purpose}" if container else f"{_name()}{purpose}")
    found.mkdir(mode=0o700, exist_ok=True)
    if found.stat().st_uid != os.getuid():
        raise PermissionError("the folder for heartbeats belongs to another user")
    return found


def own_folder(purpose: str = "") -> Path:
    """Return the same for a process that leaves files there. Deletes the folders of containers that have ended.

    Which processes of another container live cannot be asked: its folder is locked until the last of them has ended.
    """
    found = folder(purpose)
    if process_identity.namespace() and found not in _locks:
        _locks[found] = os.open(found, os.O_RDONLY)
        fcntl.flock(_locks[found], fcntl.LOCK_SH)
        ours = re.compile(rf"{_name()}-\d+{purpose}")  # of this purpose alone
        for other in found.parent.iterdir():
            if ours.fullmatch(other.name) and other != found:
                _delete_unless_locked(other)
    return found


def _delete_unless_locked(path: Path) -> None:
    """Delete a folder of ended processes, unless it was just made: then its first process is about to lock it."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime < _YOUNG_SECONDS:
            return
        found = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
        finally:
            os.close(found)


def _name() -> str:
    data = Path(os.environ.get("TASKMANAGER_DATA_DIR") or ".data")  # as in core/configuration/settings.py
    return f"taskmanager-{os.getuid()}-{crc32(bytes(data.expanduser().absolute())):08x}"
