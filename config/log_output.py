"""Where log lines go: standard output, or a file that all processes of the machine share, with rotation and retention.

A line is one write at the end of the file, so lines of several processes never mix. The process that finds the file
full, or from an earlier day, renames it under a lock; the others see by the next line that the file is another one.
"""

import errno
import fcntl
import os
import re
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

_MODE = 0o640
_FORM = "%Y%m%dT%H%M%S.%fZ"
# Not the lock of Python's own buffer: at the end of a process it aborts when a thread is writing.
_standard = threading.Lock()
os.register_at_fork(after_in_child=_standard._at_fork_reinit)  # type: ignore[attr-defined] # as `logging` does
_ROTATED = re.compile(r"\.(\d{8}T\d{6}\.\d{6}Z)")


class RotatedFile:
    """A file of lines, which is rotated at a size and each day (UTC); so many rotated ones of so many days are kept."""

    def __init__(self, path: Path, max_bytes: int, kept: int, days: int) -> None:
        self._path, self._max_bytes, self._kept, self._days = path, max_bytes, kept, days
        self._torn = False  # the last line was not written to its end
        self._descriptor = self._open()
        self._known = os.fstat(self._descriptor)

    def write(self, line: bytes) -> None:
        """Write a line. Raises OSError, for instance when the disk is full, also in the middle of the line."""
        found = self._stat()
        if found is None or not os.path.samestat(found, self._known):
            self._reopen()
        elif self._is_over(found):
            with suppress(OSError):  # the file is used on, and rotation is tried again with the next line
                self._rotate()
        whole = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, whole)
        self._torn = written < len(whole) and (written > 0 or self._torn)
        if written < len(whole):
            raise OSError(errno.ENOSPC, "a part of a line was written")

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        while True:
            with suppress(FileExistsError):
                opened = os.open(self._path, flags | os.O_CREAT | os.O_EXCL, _MODE)
                os.fchmod(opened, _MODE)  # whatever the umask of the unit is: programs of its group read it
                return opened
            with suppress(FileNotFoundError):  # another process has just renamed it
                return os.open(self._path, flags)

    def _stat(self) -> os.stat_result | None:
        with suppress(FileNotFoundError):
            return self._path.stat()
        return None

    def _reopen(self) -> None:
        """Use the file that now has the name. The descriptor keeps its number: other threads may be writing to it."""
        opened = self._open()
        self._known = os.fstat(opened)
        os.dup2(opened, self._descriptor, inheritable=False)
        os.close(opened)
        self._torn = False

    def _is_over(self, found: os.stat_result) -> bool:
        """Return whether the file is full, or was last written on an earlier day."""
        now = datetime.now(UTC)
        earlier = found.st_mtime < now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        return found.st_size >= self._max_bytes or (found.st_size > 0 and earlier)

    def _rotate(self) -> None:
        """Rename the file, unless another process has done it, use a new one, and delete what is not to be kept."""
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self._stat()
            if found is not None and self._is_over(found):
                self._path.rename(f"{self._path}.{datetime.now(UTC).strftime(_FORM)}")
                self._prune()
            self._reopen()

    def _prune(self) -> None:
        rotated = sorted(path for path in self._path.parent.glob(f"{self._path.name}.*") if self._moment(path))
        oldest = (datetime.now(UTC) - timedelta(days=self._days)).strftime(_FORM)
        for place, path in enumerate(reversed(rotated)):
            if place >= self._kept or self._moment(path) < oldest:
                path.unlink(missing_ok=True)

    def _moment(self, path: Path) -> str:
        match = _ROTATED.fullmatch(path.name.removeprefix(self._path.name))
        return match[1] if match else ""


class _Chosen:
    """The file of this process; None for standard output."""

    file: RotatedFile | None = None


def use(path: Path | None, max_bytes: int, kept: int, days: int) -> None:
    """Let the lines of this process go to the file, or to standard output when there is none. Raises OSError."""
    _Chosen.file = RotatedFile(path, max_bytes, kept, days) if path else None


def write(line: bytes) -> None:
    """Write a line at once; to standard output when the file takes none.

    A line that cannot be written is lost: no request fails because a disk is full.
    """
    if _Chosen.file is not None:
        with suppress(OSError):
            return _Chosen.file.write(line)
    with suppress(OSError, ValueError), _standard:
        descriptor = sys.stdout.fileno()
        while line:
            line = line[os.write(descriptor, line) :]
    return None
