"""Metrics of several processes of one machine or container, added up from files that they share.

Each process counts in files of its own in a folder in memory (`prometheus_client.multiprocess`), so what it has counted
outlives it. The files of ended processes are merged into one at the next scrape, so that restarts do not fill the
folder. A process that never calls `share`, such as a command or a test, counts in its own memory.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from taskmanager.core.telemetry import process_identity

_ENDED = "ended"  # in the place of a process
_NUMBERS = struct.Struct("dd")  # of a value in a file: the value, and a time that counters do not have


class _SharedFolder:
    """The folder of the files, and which of them are this process's; None while it counts in its own memory."""

    folder: Path | None = None
    identity = ""  # asked for at each count, so it is looked up once, and again in a fork


def share(folder: Path) -> None:
    """Let this process, and those that it forks, count in files of this folder. Does nothing the second time."""
    if _SharedFolder.folder is not None:
        return
    with _locked(folder):
        _purge_unless_used(folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # the library has no argument for it
    _note_identity()
    os.register_at_fork(after_in_child=_note_identity)
    values.ValueClass = _quick(values.MultiProcessValue(lambda: _SharedFolder.identity))
    _SharedFolder.folder = folder


def _note_identity() -> None:
    _SharedFolder.identity = process_identity.own()


def _quick(library: Any) -> Any:
    """Return the library's class of values in files, with an `inc` that does not look up what stays the same."""
    lock = threading.Lock()

    class QuickValue(library):
        """A number in the file of this process."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._find_place()

        def _find_place(self) -> None:
            self._place, self._owner = self._file._positions[self._key], _SharedFolder.identity

        def inc(self, amount: float) -> None:
            """Add to the number, and to the file."""
            if self._owner != _SharedFolder.identity:  # a fork, which has files of its own
                super().inc(amount)
                self._find_place()
                return
            with lock:
                self._value += amount
                # by a slice: `pack_into` would write zeros first, which a scrape could read
                self._file._m[self._place : self._place + _NUMBERS.size] = _NUMBERS.pack(self._value, 0.0)

    return QuickValue


def purge(folder: Path) -> None:
    """Delete the files in the folder, unless one belongs to another living process: for the last one that ends."""
    with suppress(OSError), _locked(folder):
        _purge_unless_used(folder)


def collected() -> Iterable[Any]:
    """Return what the processes have counted: of all that share the folder, else of this one."""
    if _SharedFolder.folder is None:
        return [family for family in REGISTRY.collect() if family.name.startswith("taskmanager_")]
    with _locked(_SharedFolder.folder):
        _merge_ended(_SharedFolder.folder)
        files = [str(path) for path in _SharedFolder.folder.glob("*.db") if not _is_empty(path)]
        return [_shown(family) for family in MultiProcessCollector.merge(files)]


class ProcessCollector(Collector):
    """A collector of `collected`, for a registry of one scrape."""

    def collect(self) -> Iterable[Any]:
        return collected()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time read and merge the files."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _purge_unless_used(folder: Path) -> None:
    files = list(folder.glob("*_*.db"))
    others = {path.stem.rpartition("_")[2] for path in files} - {process_identity.own()}
    if not any(process_identity.lives(identity) for identity in others):
        for path in files:
            path.unlink()


def _merge_ended(folder: Path) -> None:
    """Add the counts of ended processes to those of earlier ones, and delete their files."""
    for path in sorted(folder.glob("*_*.db")):
        kind, _, identity = path.stem.rpartition("_")
        if identity == _ENDED or process_identity.lives(identity):
            continue
        if not kind.startswith("gauge") and not _is_empty(path):
            _add(path, folder / f"{kind}_{_ENDED}.db")
        path.unlink()


def _is_empty(path: Path) -> bool:
    """Return whether a process has just made the file, or was killed then: the library cannot read it."""
    return path.stat().st_size == 0


def _shown(family: Any) -> Any:
    """Let the library's label `pid` contain the process id alone: only gauges of living processes have it."""
    for sample in family.samples:
        if "pid" in sample.labels:
            sample.labels["pid"] = sample.labels["pid"].partition(".")[0]
    return family


def _add(path: Path, total: Path) -> None:
    kept = MmapedDict(str(total))
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
            kept.write_value(key, kept.read_value(key)[0] + value, 0.0)
    finally:
        kept.close()
