"""The data folder: one running service owns it at a time."""

import fcntl
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Self

from taskmanager.core.errors import Misconfigured

PRIVATE = 0o600


class DataFolder:
    """Paths of the data folder, and the lock of the service that runs on it.

    The lock belongs to an open file, so it ends with its process, however that ends: the lock file of a killed run
    does not block the next one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.run = path / "run"
        self.mails = path / "mail"
        self.admin_note = path / "admin.txt"
        self._lock_file = self.run / "up.lock"
        self._addresses = self.run / "addresses.json"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Create and lock the folder. Raises Misconfigured when it cannot be written or is in use."""
        self._refuse_odd_name()
        try:
            for folder in (self.path, self.logs, self.run, self.mails):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise Misconfigured(
                f"The data folder {self.path} cannot be written ({error.strerror}): "
                "make it writable or set TASKMANAGER_DATA_DIR to another folder."
            ) from None
        self._own(self._lock)
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def owner(self) -> int | None:
        """Return the id of the process that runs a service on this folder; None when there is none."""
        with suppress(OSError, ValueError):
            lock = os.open(self._lock_file, os.O_RDWR)
            try:
                return None if _try(lock) else int(os.read(lock, 20))
            finally:
                os.close(lock)
        return None

    def note_addresses(self, addresses: dict[str, str]) -> None:
        """Store the addresses of the embedded servers of this run, for other commands: {setting: address}."""
        self._addresses.touch(PRIVATE)
        self._addresses.write_text(json.dumps(addresses))

    def addresses(self) -> dict[str, str]:
        """Return the addresses of the embedded servers of the running service; {} when none runs."""
        with suppress(OSError, ValueError):
            return dict(json.loads(self._addresses.read_text())) if self.owner() else {}
        return {}

    def _own(self, lock: int) -> None:
        if not _try(lock):
            owner = os.read(lock, 20).decode().strip()
            self.__exit__()
            raise Misconfigured(
                f"A service (process {owner}) already runs on {self.path}: "
                "end it with 'make stop' or set TASKMANAGER_DATA_DIR to another folder."
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def _refuse_odd_name(self) -> None:
        """Raise Misconfigured for a path of which supervisord would read a part as a comment."""
        if re.search(r"\s[;#]|[\r\n]", str(self.path)):
            raise Misconfigured("TASKMANAGER_DATA_DIR must have no line break, ' ;' or ' #' in its name.")


def _try(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
